"""Secrets that are renewed: the old one still signs for a while, so that no receiver refuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from app.errors import RotatedTooOften

RETIRED: Final = 4  #: old secrets that sign beside the new one


@dataclass(frozen=True)
class Signing:
    """Which generations of a secret sign now: the newest first."""

    generations: Sequence[int]
    until: Sequence[datetime]  #: of all but the first

    @classmethod
    def of(cls, generation: int, retired: Mapping[str, Any], *, now: datetime) -> "Signing":
        ends = {int(old): datetime.fromisoformat(end) for old, end in retired.items()}
        live = sorted((old for old, end in ends.items() if end > now), reverse=True)
        return cls((generation, *live), [ends[old] for old in live])

    def retired(self, *, now: datetime, overlap: timedelta) -> dict[str, str]:
        """
        What is kept of the old ones once there is a newer; without an overlap none.

        Raises `RotatedTooOften` while too many old ones still sign.
        """
        if not overlap:
            return {}
        if len(self.until) >= RETIRED:
            raise RotatedTooOften(
                f"{RETIRED} old secrets still sign, the oldest until {min(self.until):%c} UTC; "
                "rotate then, or with an overlap of 0, which ends them all."
            )
        ends = zip(self.generations, (now + overlap, *self.until), strict=True)
        return {str(old): end.isoformat() for old, end in ends}
