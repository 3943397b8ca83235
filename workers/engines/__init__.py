"""Engines: one contract, one class per runtime."""

from app.catalog import Catalog
from app.settings import EngineSettings
from workers.engines.base import Engine
from workers.engines.null import NullEngine


def open_engine(settings: EngineSettings, catalog: Catalog) -> Engine:
    """
    The engine that the settings ask for, loaded and verified but not warm.

    Raises `EngineUnavailable` or `CatalogCorrupt`, in words that say what to do.
    """
    if settings.kind == "null":
        return NullEngine()
    from workers.engines.ort import OrtEngine  # its import alone takes a third of a second

    return OrtEngine(
        catalog.model(settings.stylizer),
        catalog.stylizer(settings.stylizer).digest,
        provider=settings.provider,
        device=settings.device,
        threads=settings.threads,
    )
