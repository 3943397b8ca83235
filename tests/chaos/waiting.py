"""Waiting for something to be true, never for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(look: Callable[[], Value], seconds: float, what: str, every: float = 0.02) -> Value:
    """What `look` answers once it is true; fails, saying `what`, after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)
    return value
