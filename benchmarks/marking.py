"""What marking costs: CPU time and bytes per output, and the memory of signing large files."""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import process_time
from typing import Final

import numpy as np
import psutil

from app.catalog import Catalog
from app.domain.parameters import Output, OutputFormat, Parameters
from app.settings import CATALOG, MarkingSettings
from benchmarks import pictures
from benchmarks.large import mosaic
from benchmarks.result import Bench, Result
from workers.codec.encode import encode
from workers.marking.mark import Mark, StyleFacts
from workers.marking.notary import Notary, open_notary

SIDES: Final = {"512 px": (512, 512), "1 MP": (1000, 1000), "4 MP": (2000, 2000)}
ROUNDS: Final = 60
STYLE: Final = "great-wave"
EVERY: Final = 0.002  #: seconds between looks at the memory
LARGE: Final = {OutputFormat.JPEG: 100, OutputFormat.PNG: 25}  #: megapixels
MIB: Final = 2**20


def marking(bench: Bench) -> Iterator[Result]:
    """XMP, signature and reading back, on one thread, with a certificate of our own."""
    notary = open_notary(MarkingSettings(development=Path(bench.directory) / "marking"))
    if notary is None:
        raise SystemExit("marking is switched off")
    with notary:
        for name, size in SIDES.items():
            bench.say(f"{name} JPEG")
            yield from _small(bench, notary, name, size)
        for format, megapixels in LARGE.items():
            bench.say(f"{megapixels} MP {format}")
            yield _large(notary, format, bench.amount(megapixels * 10**6))


def _small(bench: Bench, notary: Notary, name: str, size: tuple[int, int]) -> Iterator[Result]:
    pixels = np.asarray(next(pictures.distinct(1, size)))
    plain, mark = encode(pixels, None, Output()), _mark(OutputFormat.JPEG)
    sealed = notary.mark(plain, mark)
    rounds = bench.amount(ROUNDS, 5)
    encoding = _milliseconds(rounds, lambda: encode(pixels, None, Output()))
    took = _milliseconds(rounds, lambda: notary.mark(plain, mark))
    must, grown = name == "1 MP", len(sealed.content) - len(plain)
    details = {"encoding_ms": round(encoding, 2), "file_bytes": len(plain)}
    what = f"{name} JPEG, marked"
    yield Result(f"{what}: CPU", took, "ms", must=20 if must else None, details=details)
    yield Result(f"{what}: bytes more", grown, "B", must=6 * 1024 if must else None)


def _large(notary: Notary, format: OutputFormat, pixels: int) -> Result:
    side = round(pixels**0.5)
    picture = mosaic(side, side)
    options = {"quality": 90} if format is OutputFormat.JPEG else {"compress_level": 1}
    plain = pictures.as_file(picture, format.value, **options)
    del picture
    start, most, over = psutil.Process().memory_info().rss, [0], Event()

    def look() -> None:
        while not over.wait(EVERY):
            most[0] = max(most[0], psutil.Process().memory_info().rss - start)

    thread = Thread(target=look, daemon=True)
    thread.start()
    before = process_time()
    notary.mark(plain, _mark(format))
    seconds = process_time() - before
    over.set()
    thread.join()
    details = {"file_mb": round(len(plain) / MIB, 1), "cpu_seconds": round(seconds, 2)}
    details["memory_per_byte_of_file"] = round(most[0] / len(plain), 1)
    what = f"{pixels / 1e6:.0f} MP {format}, marked: memory meanwhile"
    return Result(what, most[0] / MIB, "MB", details=details)


def _milliseconds(rounds: int, work: Callable[[], object]) -> float:
    """CPU of one call, the median of many."""
    took = []
    for _ in range(rounds):
        before = process_time()
        work()
        took.append(1000 * (process_time() - before))
    return median(took)


def _mark(format: OutputFormat) -> Mark:
    card = next(card for card in Catalog(CATALOG).styles if card.slug == STYLE)
    return Mark(
        media_type=format.media_type,
        style=card.pin,
        styles=(StyleFacts.of(card.pin, card.public()),),
        stylizer="a" * 64,
        content="b" * 64,
        parameters=Parameters(strength=0.8, output=Output(format=format)),
        render_key="c" * 64,
    )
