"""Tenants that wait side by side, each with its line: what is served while they take turns."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from app.db.backlog import Line


class Crowd:
    """The lines of one lane; to ask costs a little arithmetic, however many tenants there are."""

    def __init__(self, lines: Iterable[Line]) -> None:
        its = sorted(lines, key=_size)
        self._sizes = [_size(line) for line in its]
        self._jobs = [0, *accumulate(line.amount for line in its)]
        self._pixels = [0, *accumulate(line.pixels for line in its)]
        self._rates = [0.0, *accumulate(line.amount / _size(line) for line in its)]
        self._shares = [0.0, *accumulate(line.pixels / _size(line) for line in its)]

    @property
    def all(self) -> tuple[float, float]:
        """Jobs and pixels of everybody."""
        return self._jobs[-1], self._pixels[-1]

    def within(self, each: float) -> tuple[float, float]:
        """Jobs and pixels that are served while every tenant has `each` pixels, or all it needs."""
        done = bisect_right(self._sizes, each)
        jobs = self._jobs[done] + each * (self._rates[-1] - self._rates[done])
        return jobs, self._pixels[done] + each * (self._shares[-1] - self._shares[done])


def _size(line: Line) -> int:
    """In pixels; where nobody knows of any, the jobs are equal."""
    return max(line.pixels, line.amount)
