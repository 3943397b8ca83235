"""Whether a worker grows: resident memory over thousands of pictures of every size."""

from collections.abc import Iterator
from statistics import median
from typing import Any, Final

import numpy as np

from benchmarks import pictures
from benchmarks.result import Bench, Result
from benchmarks.system import running

PICTURES: Final = 2_000
SOURCES: Final = 160
CAMPAIGN: Final = 500
GROWTH: Final = 2.0  #: percent between the middle and the end that count as none


def memory(bench: Bench) -> Iterator[Result]:
    """Growth of the worker with its decoders between the middle and the end."""
    yield from _measure(bench, "null engine", PICTURES, (48, 1400), null_engine=True)
    yield from _measure(bench, "real stylizer", 600, (64, 320), null_engine=False)


def _measure(
    bench: Bench, name: str, amount: int, sides: tuple[int, int], *, null_engine: bool
) -> Iterator[Result]:
    amount = bench.amount(amount, least=100)
    bench.say(f"{name}: drawing {SOURCES} pictures")
    files = list(pictures.mixed(SOURCES, sides))
    samples: list[tuple[int, dict[str, int]]] = []
    environment = bench.environment
    with running(bench.directory, null_engine=null_engine, environment=environment) as system:
        uploads = [system.caller.upload(*file) for file in files]
        for start in range(0, amount, CAMPAIGN):
            chosen = [
                uploads[place % SOURCES] for place in range(start, min(start + CAMPAIGN, amount))
            ]
            # Another strength makes another picture of the same content.
            strength = 1 - start / (2 * amount)
            campaign = system.caller.campaign(chosen, system.style, strength=strength)

            def seen(done: int, before: int = start) -> None:
                samples.append((before + done, system.census.memory()))
                bench.say(f"{name}: {before + done} of {amount} pictures")

            system.caller.finish([campaign], seen)
    details = _shape(samples, amount)
    growth = details["growth_percent"]
    what = f"growth of the worker's memory, {name}"
    yield Result(what, growth, "%", "<=", GROWTH, GROWTH / 2, details)


def _shape(samples: list[tuple[int, dict[str, int]]], amount: int) -> dict[str, Any]:
    done = np.array([place for place, _ in samples], float)
    both = np.array([one["worker"] + one["decoders"] for _, one in samples]) / 2**20
    worker = np.array([one["worker"] for _, one in samples]) / 2**20
    second = done >= amount / 2
    middle = median(both[(done >= 0.4 * amount) & (done <= 0.6 * amount)])
    end = median(both[done >= 0.9 * amount])
    slope = np.polyfit(done[second], both[second], 1)[0] if second.sum() > 2 else 0.0
    return {
        "pictures": amount,
        "samples": len(samples),
        "mb_at_start": round(float(both[0]), 1),
        "mb_in_the_middle": round(float(middle), 1),
        "mb_at_the_end": round(float(end), 1),
        "mb_at_most": round(float(both.max()), 1),
        "worker_alone_mb_at_the_end": round(float(worker[-1]), 1),
        "kb_per_picture_in_second_half": round(1024 * float(slope), 2),
        "growth_percent": round(100 * float(end - middle) / float(middle), 2),
    }
