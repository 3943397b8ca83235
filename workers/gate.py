"""Who may work beside whom: many groups together, or one suspect alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Gate:
    """
    A shared and exclusive lock that prefers the exclusive side.

    A job that may kill its worker runs alone, so that nobody dies with it.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._alone = False
        self._want_alone = 0

    @property
    def closed(self) -> bool:
        """Whether somebody is alone, or wants to be: for those who would rather leave than wait."""
        with self._changed:
            return self._alone or self._want_alone > 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work beside other groups; waits while somebody is alone, or wants to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._want_alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work with nobody beside; waits until the others are through."""
        with self._changed:
            self._want_alone += 1
            self._changed.wait_for(lambda: not self._alone and not self._inside)
            self._want_alone -= 1
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
