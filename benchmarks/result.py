"""One measured number beside what was promised."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from benchmarks.machine import BUSY

Round = dict[str, Any]  #: what one repetition brought; `others` is their share of the machine
Way = Literal["<=", ">="]


@dataclass(frozen=True)
class Result:
    """What was measured; `must` and `aim` bound `value` in the direction of `way`."""

    what: str
    value: float
    unit: str
    way: Way = "<="
    must: float | None = None
    aim: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.aim is not None and self._keeps(self.aim):
            return "aim"
        if self.must is not None:
            return "must" if self._keeps(self.must) else "MISSED"
        return "" if self.aim is None else "below aim"

    def _keeps(self, bound: float) -> bool:
        return self.value <= bound if self.way == "<=" else self.value >= bound


@dataclass(frozen=True)
class Bench:
    """What a benchmark gets: where to put its files, how to speak, and how much to do."""

    directory: str
    environment: dict[str, str]
    say: Callable[[str], None]
    scale: float = 1.0

    def amount(self, full: int, least: int = 1) -> int:
        """`full`, or as much of it as was asked for."""
        return max(least, round(full * self.scale))


Benchmark = Callable[[Bench], Iterator[Result]]


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def quiet(rounds: Sequence[Round], *, least: int = 2) -> list[Round]:
    """Those in which the machine was ours; where too few were, the ones that come closest."""
    ordered = sorted(rounds, key=lambda one: one["others"])
    return [one for place, one in enumerate(ordered) if one["others"] <= BUSY or place < least]


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """Column by column; a missing number counts as nothing."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: round(median([row.get(name, 0.0) for row in rows]), 3) for name in names}
