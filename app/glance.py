"""A value that many ask for and few look up: good for a while, looked for by one thread."""

from collections.abc import Callable
from threading import Lock
from time import monotonic, perf_counter
from typing import Final, Generic, TypeVar

FRESH: Final = 1.0  #: seconds for which a glance is good
SHARE: Final = 20.0  #: and this many times as long as it took: what takes long is looked at less

Value = TypeVar("Value")


class Glance(Generic[Value]):
    """A value for as long as it is fresh; one thread looks, the others take what there is."""

    def __init__(self, fresh: float = FRESH, share: float = SHARE) -> None:
        self._fresh, self._share, self._until = fresh, share, 0.0
        self._value: Value | None = None
        self._lock = Lock()

    def at(self, look: Callable[[], Value]) -> Value:
        """What there is, or what `look` finds."""
        value = self._value
        if value is not None and monotonic() < self._until:
            return value
        if value is not None and not self._lock.acquire(blocking=False):
            return value
        if value is None:
            self._lock.acquire()
        try:
            if self._value is None or monotonic() >= self._until:
                start = perf_counter()
                self._value = look()
                took = perf_counter() - start
                self._until = monotonic() + max(self._fresh, self._share * took)
            return self._value
        finally:
            self._lock.release()
