"""Tenants that wait side by side, each with its line: what is served while they take turns."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from app.db.backlog import Line


class Crowd:
    """The lines of one lane; to ask costs a little arithmetic, however many tenants there are."""

    def __init__(self, lines: Iterable[Line]) -> None:
        its = sorted(lines, key=lambda line: line.amount)
        self._amounts = [line.amount for line in its]
        self._jobs = [0, *accumulate(self._amounts)]
        self._pixels = [0, *accumulate(line.pixels for line in its)]
        self._means = [0.0, *accumulate(line.mean_pixels for line in its)]

    @property
    def all(self) -> tuple[float, float]:
        """Jobs and pixels of everybody."""
        return self._jobs[-1], self._pixels[-1]

    def within(self, turns: float) -> tuple[float, float]:
        """Jobs and pixels that are served while each has so many turns, or as many as it needs."""
        done = bisect_right(self._amounts, turns)
        longer = len(self._amounts) - done
        pixels = self._pixels[done] + turns * (self._means[-1] - self._means[done])
        return self._jobs[done] + turns * longer, pixels
