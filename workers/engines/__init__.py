"""Engines: one contract, one class per runtime."""

from pathlib import Path

from app.catalog import Catalog
from app.errors import EngineUnavailable
from app.settings import EngineSettings
from workers.engines.base import Engine, Parts
from workers.engines.null import NullEngine
from workers.engines.options import Lane, Wishes


def open_engine(settings: EngineSettings, catalog: Catalog) -> Engine:
    """
    The engine that the settings ask for, loaded and verified but not warm.

    Raises `EngineUnavailable` or `CatalogCorrupt`, in words that say what to do.
    """
    if settings.kind == "null":
        return NullEngine(settings.null_ms, settings.null_pixels, device=settings.device)
    from workers.engines.ort import OrtEngine  # its import alone takes a third of a second

    hot = [Lane.parse(text) for text in settings.hot]
    if settings.provider == "tensorrt" and not hot:
        raise EngineUnavailable(
            "TensorRT draws hot lanes only, since it builds an engine for each shape; name them in "
            'IMPASTO_ENGINE__HOT, such as ["512x512x8"], or set IMPASTO_ENGINE__PROVIDER=cuda.'
        )
    return OrtEngine(
        *_model(catalog, settings),
        wishes_of(settings),
        stylizer=catalog.stylizer(settings.stylizer).digest,
        parts=_parts(catalog, settings.stylizer),
        hot=hot,
    )


def wishes_of(settings: EngineSettings) -> Wishes:
    """What the settings ask of a device."""
    return Wishes(
        provider=settings.provider,
        precision=settings.precision,
        device=settings.device,
        threads=settings.threads,
        memory_limit=settings.memory_limit,
        search=settings.search,
        graphs=settings.cuda_graphs,
        cache=settings.cache,
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
