"""Engines: one contract, one class per runtime."""

from pathlib import Path

from app.catalog import Catalog
from app.errors import EngineUnavailable
from app.settings import EngineSettings
from workers.engines.base import Engine, Parts
from workers.engines.null import NullEngine


def open_engine(settings: EngineSettings, catalog: Catalog) -> Engine:
    """
    The engine that the settings ask for, loaded and verified but not warm.

    Raises `EngineUnavailable` or `CatalogCorrupt`, in words that say what to do.
    """
    if settings.kind == "null":
        return NullEngine(settings.null_ms, settings.null_pixels, device=settings.device)
    from workers.engines.ort import OrtEngine  # its import alone takes a third of a second

    return OrtEngine(
        *_model(catalog, settings),
        stylizer=catalog.stylizer(settings.stylizer).digest,
        parts=_parts(catalog, settings.stylizer),
        provider=settings.provider,
        precision=settings.precision,
        device=settings.device,
        threads=settings.threads,
        memory_limit=settings.memory_limit,
    )


def _model(catalog: Catalog, settings: EngineSettings) -> tuple[Path, str]:
    """The graph for whole pictures in the precision asked for, and its digest."""
    card = catalog.stylizer(settings.stylizer)
    if settings.precision == "full":
        return catalog.model(settings.stylizer), card.digest
    if settings.precision not in card.graphs:
        raise EngineUnavailable(
            f"{card.id} does not come in {settings.precision}; leave IMPASTO_ENGINE__PRECISION out."
        )
    graph = card.graphs[settings.precision]
    return catalog.graph(settings.stylizer, settings.precision), graph.digest


def _parts(catalog: Catalog, name: str) -> Parts | None:
    card = catalog.stylizer(name)
    if card.receptive_field is None or not card.draws_tiles:
        return None
    found = {
        graph: (catalog.graph(name, graph), card.graphs[graph].digest)
        for graph in ("statistics", "tiles")
    }
    return Parts(**found, reach=card.receptive_field)
