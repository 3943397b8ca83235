"""CPU time of one picture: its thread's own, and that of the processes which worked for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import local

_here = local()


@dataclass
class Spent:
    """CPU seconds; whole once its block has ended."""

    seconds: float = 0.0


@contextmanager
def measured() -> Iterator[Spent]:
    """What this thread computes in the block, with what it `add`s; blocks do not nest."""
    spent = _here.spent = Spent()
    start = time.thread_time()
    try:
        yield spent
    finally:
        spent.seconds += time.thread_time() - start
        _here.spent = None


def add(seconds: float) -> None:
    """A process worked for this thread, which waited."""
    spent = getattr(_here, "spent", None)
    if spent is not None:
        spent.seconds += max(0.0, seconds)


def of_process(pid: int) -> float:
    """CPU seconds of a process so far, as the kernel counts them: nobody's own word."""
    # What clock_getcpuclockid(3) answers on Linux; Python has it for threads only.
    return time.clock_gettime(~pid << 3 | 2)
