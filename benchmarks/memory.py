"""Whether a worker grows: resident memory over thousands of pictures of every size."""

from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Final

import numpy as np

from benchmarks import pictures
from benchmarks.result import Bench, Result
from benchmarks.system import running

PICTURES: Final = 2_000
SOURCES: Final = 160
CAMPAIGNS: Final = 10
HALF: Final = CAMPAIGNS // 2  #: warm by then: every size has been met
GROWTH: Final = 2.0  #: percent between the middle and the end that count as none


def memory(bench: Bench) -> Iterator[Result]:
    """What the worker with its decoders holds at rest: at the end against the middle."""
    yield from _measure(bench, "null engine", PICTURES, (48, 1400), null_engine=True)
    yield from _measure(bench, "real stylizer", 640, (64, 320), null_engine=False)


def _measure(
    bench: Bench, name: str, amount: int, sides: tuple[int, int], *, null_engine: bool
) -> Iterator[Result]:
    size = max(SOURCES, bench.amount(amount) // CAMPAIGNS)
    bench.say(f"{name}: drawing {SOURCES} pictures")
    files = list(pictures.mixed(SOURCES, sides))
    at_rest: list[Counter[str]] = []
    at_work: list[int] = []
    environment = bench.environment
    with running(bench.directory, null_engine=null_engine, environment=environment) as system:
        style = system.style
        uploads = [system.caller.upload(*file) for file in files]

        def seen(done: int) -> None:
            bench.say(f"{name}: {len(at_rest) * size + done} of {CAMPAIGNS * size} pictures")
            at_work.append(_both(system.census.memory()))

        for place in range(CAMPAIGNS):
            chosen = [uploads[one % SOURCES] for one in range(size)]
            # Another strength makes another picture of the same content.
            campaign = system.caller.campaign(chosen, style, strength=1 - place / 20)
            system.caller.finish([campaign], seen)
            at_rest.append(system.census.memory())
    held = [_both(one) / 2**20 for one in at_rest]
    middle, end = median(held[HALF - 1 : HALF + 2]), median(held[-3:])
    growth = 100 * (end - middle) / middle
    details = {
        "pictures": CAMPAIGNS * size,
        "mb_at_rest": [round(one, 1) for one in held],
        "mb_at_work_at_most": round(max(at_work) / 2**20, 1),
        "worker_alone_mb_at_rest": [round(one["worker"] / 2**20, 1) for one in at_rest],
        "kb_per_picture_in_second_half": round(1024 * _slope(held[HALF:]) / size, 2),
    }
    yield Result(f"growth of the worker's memory, {name}", growth, "%", "<=", GROWTH, 0.0, details)


def _both(memory: Counter[str]) -> int:
    return memory["worker"] + memory["decoders"]


def _slope(values: list[float]) -> float:
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])
