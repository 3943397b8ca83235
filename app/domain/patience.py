"""When it is worth to look again at work that goes on."""

from math import ceil
from typing import Final

SOONEST: Final = 1  #: seconds
LATEST: Final = 60  #: seconds; also where a person has to do something first
SHARE: Final = 10


def look_again(left: float | None, age: float) -> int:
    """
    Seconds until then: a tenth of what is `left`, so that an end is seen a tenth late at most.

    Where nobody knows what is left, a tenth of `age`, what it has taken so far; both in seconds.
    """
    wait = ceil((age if left is None else left) / SHARE)
    return max(SOONEST, min(LATEST, wait))
