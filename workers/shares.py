"""What each tenant has had of a device, so that claims are fair between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from app.domain.job import Lane


class Shares:
    """
    Fair queueing by start times (Goyal, Vin and Cheng, 1996), in milliseconds of the device.

    No threads, no clock, no database. Each piece of work starts where its tenant's last one ended,
    or now, whichever is later; now is where the first of the last claim started. So who was away
    has saved nothing, and two tenants who both wait differ by a claim and a picture of each at
    most, however large their pictures and however many they are.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._ends: dict[UUID, float] = {}

    def ahead(self) -> dict[UUID, float]:
        """By how many milliseconds tenants are ahead of who comes new; only those who are."""
        return {tenant: end - self._now for tenant, end in self._ends.items()}

    def claimed(self, costs: Sequence[tuple[UUID, float]]) -> None:
        """These were taken together, at these foreseen milliseconds each."""
        if not costs:
            return
        starts = []
        for tenant, cost in costs:
            start = max(self._now, self._ends.get(tenant, self._now))
            self._ends[tenant] = start + cost
            starts.append(start)
        self._move(min(starts))

    def corrected(self, tenant: UUID, milliseconds: float) -> None:
        """Work took so much more than was foreseen; less, if it is negative."""
        end = self._ends.get(tenant, self._now) + milliseconds
        if end > self._now:
            self._ends[tenant] = end
        else:
            self._ends.pop(tenant, None)

    def _move(self, now: float) -> None:
        """Times begin again with each claim: sums that only grow lose their last digits."""
        self._ends = {tenant: end - now for tenant, end in self._ends.items() if end > now}
        self._now = 0.0


@dataclass(frozen=True)
class Tally:
    """The shares of every lane, for the threads of one worker."""

    _lanes: dict[Lane, Shares] = field(default_factory=lambda: {lane: Shares() for lane in Lane})
    _lock: Lock = field(default_factory=Lock)

    def ahead(self, lane: Lane) -> Mapping[UUID, float]:
        """As `Shares.ahead`."""
        with self._lock:
            return self._lanes[lane].ahead()

    def claimed(self, lane: Lane, costs: Sequence[tuple[UUID, float]]) -> None:
        """As `Shares.claimed`."""
        with self._lock:
            self._lanes[lane].claimed(costs)

    def corrected(self, lane: Lane, tenant: UUID, milliseconds: float) -> None:
        """As `Shares.corrected`."""
        with self._lock:
            self._lanes[lane].corrected(tenant, milliseconds)
