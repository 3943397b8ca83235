"""Signals as a count to look at, and a wait that any of them ends."""

import os
import select
import signal
from types import FrameType
from typing import Any, Self

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Inside the context, requests to stop are counted and the end of a child ends a wait."""

    def __init__(self) -> None:
        self.stops = 0

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._former_writer = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._former: dict[int, Any] = {
            number: signal.signal(number, self._note)
            for number in (*STOPS, signal.SIGCHLD)
            if not (number == signal.SIGHUP and _is_ignored(number))  # nohup means it
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        signal.set_wakeup_fd(self._former_writer)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float | None) -> None:
        """Return at the next signal, or one not yet waited for, at the latest after `seconds`."""
        select.select([self._reader], [], [], seconds)
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            return

    def _note(self, number: int, _: FrameType | None) -> None:
        self.stops += number in STOPS


def _is_ignored(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
