"""Large pictures: no seams, memory that does not grow with them, and time that grows no faster."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from math import sqrt
from threading import Event, Thread
from typing import Any, Final

import numpy as np
import psutil
from PIL import Image

from app.catalog import Catalog
from app.domain.parameters import Output, OutputFormat
from app.settings import EngineSettings, Settings
from benchmarks import pictures
from benchmarks.census import Census
from benchmarks.result import Bench, Result
from benchmarks.system import running
from workers.batcher import Batcher
from workers.batches import Budget
from workers.codec.strips import Strips
from workers.easel import Brush, open_easel
from workers.engines import open_engine
from workers.local import embedding_of

SIDE: Final = 1000  #: of the photographs that a large picture is put together from
MEGAPIXELS: Final = (25, 50, 100, 200)
EVERY: Final = 0.05  #: seconds between looks at the memory
STYLE: Final = "great-wave"


def large(bench: Bench) -> Iterator[Result]:
    """In tiles and whole, with the same statistics; then through the system, larger and larger."""
    yield _seams(bench)
    yield from _growth(bench)


def _seams(bench: Bench) -> Result:
    bench.say("4 megapixels, whole and in tiles")
    settings = Settings(_env_file=None)
    catalog = Catalog(settings.catalog)
    engine = open_engine(EngineSettings(), catalog)
    style = embedding_of(catalog, STYLE, settings.engine.stylizer)
    photo = np.asarray(mosaic(2048, 2046))
    strips = Strips(settings.limits, None)
    found: dict[str, np.ndarray[Any, Any]] = {}

    class Whole:
        """The engine, which also draws the whole with what its tiles are drawn with."""

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def measure(self, *asked: Any) -> Any:
            found["affine"] = engine.measure(*asked)
            return found["affine"]

    with Batcher(Whole(), budget=Budget(1, 2**17)) as batcher:
        easel = open_easel(settings, strips, engine, batcher.submit)
        file = pictures.as_file(Image.fromarray(photo), "PNG", compress_level=1)
        with easel.open(file, None) as sheet:
            painted = easel.draw(
                sheet, Brush(style, 1.0), Output(format=OutputFormat.PNG), lambda *_: None
            )
    tiled = np.asarray(Image.open(BytesIO(painted.content)))
    whole = engine.paint(photo[None], found["affine"])[0]
    gap = np.abs(tiled.astype(np.int16) - whole)
    details = {"mean": round(float(gap.mean()), 5), "side_of_tiles": easel.side}
    return Result("largest step at a seam, 4 MP", float(gap.max()), "/255", must=2, details=details)


def _growth(bench: Bench) -> Iterator[Result]:
    seen: list[dict[str, Any]] = []
    environment = bench.environment
    with running(bench.directory, null_engine=False, environment=environment) as system:
        for megapixels in MEGAPIXELS:
            bench.say(f"{megapixels} megapixels")
            file = _file(bench.amount(megapixels * 10**6))
            upload = system.caller.upload(file)
            with _peak(system.census) as peak, system.census.window() as window:
                system.caller.finish([system.caller.campaign([upload], STYLE)])
            seen.append(
                {
                    "megapixels": megapixels,
                    "upload_mb": round(len(file) / 2**20, 1),
                    "seconds": round(window.wall, 1),
                    "cpu_seconds": round(window.cpu["worker"], 1),
                    "others": round(window.others, 2),
                    **{name: round(value / 2**20) for name, value in peak.items()},
                }
            )
            bench.say(str(seen[-1]))
    at_100 = next(one for one in seen if one["megapixels"] == 100)
    peak_mb = float(at_100["worker_and_children_mb"])
    details = {"pictures": seen}
    yield Result("memory of a worker at 100 MP", peak_mb, "MB", "<=", 1536, None, details)
    yield Result("memory at 200 MP beside 25 MP", _ratio(seen, "worker_and_children_mb"), "x", "<=")
    paces = [one["cpu_seconds"] / one["megapixels"] for one in seen if one["megapixels"] <= 100]
    spread = 100 * (max(paces) / min(paces) - 1)
    pace = {"cpu_seconds_per_megapixel": [round(one, 3) for one in paces]}
    yield Result("spread of CPU time per pixel, 25 to 100 MP", spread, "%", "<=", 15, None, pace)


def _ratio(seen: list[dict[str, Any]], name: str) -> float:
    return float(seen[-1][name] / seen[0][name])


@contextmanager
def _peak(census: Census) -> Iterator[dict[str, int]]:
    """Resident bytes at their most, of the worker with all its children, and of the API."""
    most: dict[str, int] = {"worker_and_children_mb": 0, "api_mb": 0}
    over = Event()

    def look() -> None:
        while not over.wait(EVERY):
            with suppress(psutil.Error):  # a child has just ended
                memory = census.memory()
                both = memory["worker"] + memory["decoders"]
                most["worker_and_children_mb"] = max(most["worker_and_children_mb"], both)
                most["api_mb"] = max(most["api_mb"], memory["api"])

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def _file(pixels: int) -> bytes:
    side = round(sqrt(pixels))
    width = side - side % 2
    return pictures.as_file(mosaic(width, pixels // width), "JPEG", quality=90)


def mosaic(width: int, height: int) -> Image.Image:
    """Different photographs side by side: detail everywhere, and edges that hide nothing."""
    columns, rows = -(-width // SIDE), -(-height // SIDE)
    whole = Image.new("RGB", (width, height))
    for place, picture in enumerate(pictures.distinct(columns * rows, (SIDE, SIDE), seed=7)):
        whole.paste(picture, (place % columns * SIDE, place // columns * SIDE))
    return whole
