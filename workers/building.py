"""Engines built ahead of serving: by opening and warming what a worker would open."""

from collections.abc import Iterator, Sequence
from time import perf_counter

from app.catalog import Catalog
from app.errors import Misconfigured
from app.settings import EngineSettings
from workers.engines import open_engine

ON_CPU = (
    "Nothing to build for a CPU: a session opens in 23 ms of CPU time, from a graph optimized "
    "before in 17, so nothing is kept."
)


def built(settings: EngineSettings, catalog: Catalog, stylizers: Sequence[str]) -> Iterator[str]:
    """
    Build the hot lanes of these stylizers, and say so line by line.

    A worker with the same settings, versions and card finds them in the cache. Raises
    `Misconfigured` where there is nothing hot, and what opening an engine does.
    """
    if settings.kind == "null":
        yield "Nothing to build for the null engine."
        return
    if settings.provider == "cpu":
        yield ON_CPU
        return
    if not settings.hot:
        raise Misconfigured("Name the shapes to build for: --shape 512x512x8.")
    for name in stylizers:
        start = perf_counter()
        its = settings.model_copy(update={"stylizer": name})
        engine = open_engine(its, catalog)
        engine.warm_up()
        engine.close()
        seconds = perf_counter() - start
        kept = f"kept in {settings.cache}" if settings.provider == "tensorrt" else "nothing is kept"
        yield f"{name} on {engine.device}: {', '.join(settings.hot)} in {seconds:.0f} s, {kept}"
