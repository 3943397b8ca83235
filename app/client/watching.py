"""Polling one thing to its end, as seldom as the service wishes."""

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import random
from typing import Any, Final

import httpx2

from app.client.errors import StillRunning
from app.patience import retry_after

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  #: seconds between polls where a second is asked for
LONGEST: Final = 60.0  #: seconds between polls, whatever is asked for

#: Asks for the thing, with these headers.
Ask = Callable[[dict[str, str]], httpx2.Response]


def watch(ask: Ask, path: str, timeout: float | None) -> Iterator[dict[str, Any]]:
    """
    A job or a campaign whenever it changed, until it is finished; polling costs ETags.

    Raises `StillRunning` after `timeout` seconds, and what `ask` raises.
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    etag, pause = "", FIRST_PAUSE
    while True:
        response = ask({"if-none-match": etag} if etag else {})
        if response.status_code != httpx2.codes.NOT_MODIFIED:
            work: dict[str, Any] = response.json()
            etag = response.headers.get("etag", "")
            yield work
            if work["finished_at"] is not None:
                return
        left = deadline - time.monotonic()
        if left <= 0:
            raise StillRunning(f"{path} has not ended within {timeout:g} seconds.")
        time.sleep(min(left, patience(response, pause)))
        pause = min(LONGEST_PAUSE, pause * 1.5)


def patience(response: httpx2.Response, pause: float) -> float:
    """
    Seconds until the next poll: what `Retry-After` says, and up to a quarter more.

    `pause`, where it says a second or nothing: something is about to happen.
    """
    value = response.headers.get("retry-after", "")
    asked = retry_after(value, now=datetime.now(UTC)) if value else None
    if asked is None or asked <= 1.0:
        return pause
    return min(LONGEST, asked) * (1 + random() / 4)
