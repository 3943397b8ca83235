"""Who may begin a large picture, which takes its thread for minutes."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

ASIDE: Final = 10.0  #: seconds; who still wants to be alone has asked again by then


class Places:
    """
    So many large pictures at once, and none begins while somebody wants to be alone.

    Suspects run with nobody beside. To wait for a large picture would hold up everybody else, so
    they leave, and come again with a later ticket; meanwhile no other large picture begins.
    """

    def __init__(self, amount: int, clock: Callable[[], float] = monotonic) -> None:
        self._free = amount
        self._all = amount
        self._aside_until = 0.0
        self._clock = clock
        self._lock = Lock()

    def take(self) -> bool:
        """Begin a large picture; no if all places are taken, or kept free."""
        with self._lock:
            if not self._free or self._clock() < self._aside_until:
                return False
            self._free -= 1
            return True

    def leave(self) -> None:
        """What `take` took is free again."""
        with self._lock:
            self._free += 1

    def clear(self) -> bool:
        """Whether nobody draws a large picture; nobody begins one until `reopen`, or for long."""
        with self._lock:
            self._aside_until = self._clock() + ASIDE
            return self._free == self._all

    def reopen(self) -> None:
        """Who wanted to be alone is."""
        with self._lock:
            self._aside_until = 0.0
