"""What each tenant has had of a device, so that claims are fair between them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import islice
from threading import Lock
from typing import Generic, TypeVar
from uuid import UUID

from app.domain.job import Lane

Tenant = TypeVar("Tenant", UUID, int)
Order = TypeVar("Order", UUID, int)


class Shares(Generic[Tenant]):
    """
    Fair queueing by start times (Goyal, Vin and Cheng, 1996), in milliseconds of the device.

    No threads, no clock, no database. Each piece of work starts where its tenant's last one ended,
    or now, whichever is later; now is where the first of the last claim started. So who was away
    has saved nothing, and two tenants who both wait differ by a claim and a picture of each at
    most, however large their pictures and however many they are.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._ends: dict[Tenant, float] = {}

    def ahead(self) -> dict[Tenant, float]:
        """By how many milliseconds tenants are ahead of who comes new; only those who are."""
        return {tenant: end - self._now for tenant, end in self._ends.items()}

    def claimed(self, costs: Sequence[tuple[Tenant, float]]) -> None:
        """These were taken together, at these foreseen milliseconds each."""
        if not costs:
            return
        starts = []
        for tenant, cost in costs:
            start = max(self._now, self._ends.get(tenant, self._now))
            self._ends[tenant] = start + cost
            starts.append(start)
        self._move(min(starts))

    def corrected(self, tenant: Tenant, milliseconds: float) -> None:
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


def taken(
    lines: Mapping[Tenant, Iterable[tuple[Order, float]]],
    ahead: Mapping[Tenant, float],
    *,
    most_jobs: int,
    most_cost: float,
) -> list[tuple[Tenant, float]]:
    """
    What a claim takes of these lines, in order; each job is its place among equals and its cost.

    As the statement of claims does it in the database: for those who have to foresee it. No more
    of a line is read than is taken, and one.
    """
    heap: list[tuple[float, Order, float, Tenant, Iterator[tuple[Order, float]]]] = []
    for tenant, its in lines.items():
        line = iter(its)
        for order, cost in islice(line, 1):
            heap.append((ahead.get(tenant, 0.0), order, cost, tenant, line))
    heapify(heap)
    found: list[tuple[Tenant, float]] = []
    spent = 0.0
    while heap and len(found) < most_jobs and spent < most_cost:
        start, _, cost, tenant, line = heap[0]
        if found and cost > most_cost:
            break
        found.append((tenant, cost))
        spent += cost
        heappop(heap)
        starts = start + cost
        for order, cost in islice(line, 1):
            heappush(heap, (starts, order, cost, tenant, line))
    return found


@dataclass(frozen=True)
class Tally:
    """The shares of every lane, for the threads of one worker."""

    _lanes: dict[Lane, Shares[UUID]] = field(
        default_factory=lambda: {lane: Shares() for lane in Lane}
    )
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
