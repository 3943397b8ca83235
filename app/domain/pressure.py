"""When new work is refused since too much waits, and when it would be accepted. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from app.domain.job import Lane

UNKNOWN: Final = 60  #: seconds; nobody works, so nobody knows
LONGEST: Final = 86_400  #: seconds
SLOWEST: Final = 1e6  #: times as long as its device a worker may be busy

#: What is served before new work of a lane, and with it.
_STYLIZED: Final = (Lane.INTERACTIVE, Lane.SOLO, Lane.FETCH, Lane.CAMPAIGN)
BEFORE: Final[Mapping[Lane, tuple[Lane, ...]]] = {
    Lane.INTERACTIVE: (Lane.INTERACTIVE,),
    **dict.fromkeys((Lane.CAMPAIGN, Lane.FETCH, Lane.SOLO), _STYLIZED),
    **dict.fromkeys((Lane.PRINT, Lane.LEARN), (Lane.PRINT,)),  # how long learning takes: who knows
}


@dataclass(frozen=True, slots=True)
class Weight:
    """How much waits and runs in a lane, in milliseconds."""

    device_ms: float = 0.0
    busy_ms: float = 0.0  #: of one worker, decoding and all


NOTHING: Final = Weight()


@dataclass(frozen=True, slots=True)
class Weights:
    """Every lane's, and who works."""

    lanes: Mapping[Lane, Weight] = field(default_factory=dict)
    stylizing: int = 0
    optimizing: int = 0

    def wait(self, lane: Lane, bound: float, more_ms: float = 0.0) -> int | None:
        """
        Whole seconds until less than `bound` device-seconds are before new work of a lane.

        None: that is so now. `more_ms` came in since the weights were taken.
        """
        its = [self.lanes.get(one, NOTHING) for one in BEFORE[lane]]
        device_ms = sum(one.device_ms for one in its)
        over = device_ms + more_ms - 1000 * bound
        if over < 0:
            return None
        workers = self.optimizing if lane.slow else self.stylizing
        if not workers:
            return UNKNOWN
        busy_ms = sum(one.busy_ms for one in its)
        stretch = min(SLOWEST, busy_ms / device_ms) if device_ms else 1.0
        return max(1, ceil(min(LONGEST, over * stretch / workers / 1000)))
