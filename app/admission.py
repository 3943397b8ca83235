"""Whether a tenant may hand in more: how much of its waits already, and how much it had today."""

from collections import defaultdict
from dataclasses import dataclass
from threading import Lock
from time import monotonic, perf_counter
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import waiting
from app.db.backlog import Place
from app.domain.job import Lane
from app.domain.quotas import WAITING
from app.errors import QueueFull
from app.outlook import Outlook, Waiting
from app.quotas import Meter
from app.settings import Settings

SURE: Final = 10_000  #: room in which single pictures need not be counted one by one
UNKNOWN: Final = 60  #: seconds until somebody asks again, where nobody draws
FRESH: Final = 0.1  #: seconds for which a count of single pictures is used
SHARE: Final = 20.0  #: and this many times as long as it took: many are counted less often

_FIRST = Place(100, UUID(int=0))  #: before all jobs


class Singles:
    """
    How many single pictures of each tenant wait; one for a process, any thread may ask.

    What it knows is up to `fresh` seconds old, and up to `share` times what counting took.
    """

    def __init__(self, fresh: float = FRESH, share: float = SHARE) -> None:
        self._fresh, self._share = fresh, share
        self._known: dict[UUID, tuple[int, float]] = {}
        self._looking: defaultdict[UUID, Lock] = defaultdict(Lock)

    def of(self, session: Session, tenant_id: UUID) -> int:
        """The number; one counts, and who asks meanwhile waits for it."""
        with self._looking[tenant_id]:
            amount, until = self._known.get(tenant_id, (0, 0.0))
            if monotonic() < until:
                return amount
            start = perf_counter()
            amount = waiting.singles(session, tenant_id)
            took = perf_counter() - start
            self._known[tenant_id] = amount, monotonic() + max(self._fresh, self._share * took)
            return amount


@dataclass(frozen=True, slots=True)
class Admission:
    """Quotas, as those are held to them who hand work in."""

    settings: Settings
    outlook: Outlook
    singles: Singles
    meter: Meter | None  #: None: nobody's pictures are counted

    def waiting(self, session: Session, tenant_id: UUID, *, without: UUID | None = None) -> int:
        """How many pictures of a tenant wait or are drawn, as far as `Singles` knows."""
        singles = self.singles.of(session, tenant_id)
        return singles + waiting.campaigns(session, tenant_id, without=without)

    def foresee(
        self, session: Session, tenant_id: UUID, pictures: int, *, without: UUID | None = None
    ) -> None:
        """
        Before anything is stored: raise what `admit` would as far as can be seen, counting nothing.

        `without` is a campaign that is being accepted; `pictures` are what it has so far.
        """
        if self.meter is None:
            return
        limit, known = self.meter.most_waiting(tenant_id), self.meter.waiting(tenant_id)
        if limit is not None and (known is None or known + pictures + SURE > limit):
            now = self.waiting(session, tenant_id, without=without)
            self.meter.note(tenant_id, now)
            self._check(session, tenant_id, now + pictures, pictures, limit)
        if pictures > 1:  # of a single one it is known soon enough
            self.meter.foresee(tenant_id, pictures)

    def admit(self, session: Session, tenant_id: UUID, pictures: int) -> None:
        """
        Count pictures whose jobs are written; last in a transaction, but for its audit line.

        Raises `QueueFull`, and `QuotaExceeded` where the tenant has had its day's pictures.
        """
        self.readmit(session, tenant_id, pictures)
        if self.meter is not None:
            self.meter.take(tenant_id, pictures)

    def readmit(self, session: Session, tenant_id: UUID, pictures: int) -> None:
        """
        The same for what was counted before, and waits again. Raises `QueueFull`.

        Whoever adds many waits for all others of the tenant, and they for it. Single pictures
        wait for nobody while there is room for more of them than requests can be under way.
        """
        limit = None if self.meter is None else self.meter.most_waiting(tenant_id)
        if self.meter is None or limit is None:
            return
        if pictures > 1:
            now = waiting.alone(session, tenant_id)
        else:
            now = waiting.together(session, tenant_id) + self.singles.of(session, tenant_id)
            if now + SURE > limit:
                now = waiting.in_turn(session, tenant_id)
        self._check(session, tenant_id, now, pictures, limit)
        self.meter.note(tenant_id, now)

    def _check(
        self, session: Session, tenant_id: UUID, total: int, pictures: int, limit: int
    ) -> None:
        over = total - limit
        if over <= 0:
            return
        after = self._seconds(session, tenant_id, over)
        say = (
            f"At most {limit:,} pictures of yours may wait to be drawn; with this request's "
            f"{pictures:,} it would be {total:,}. "
        )
        if pictures > limit:
            more = "It has to be handed in in parts."
        elif after is None:
            more = "Nobody can say when there is room: nothing of yours is being drawn."
        else:
            more = f"There should be room in {after:,} seconds."
        about = {"violated-policies": [WAITING]}
        raise QueueFull(say + more, **about, retry_after=after or UNKNOWN)

    def _seconds(self, session: Session, tenant_id: UUID, pictures: int) -> int | None:
        """Until so many of what waits longest in the tenant's longest line will have been drawn."""
        queue = self.outlook.queue(session)
        lane = max(Lane, key=lambda lane: queue.line(lane, tenant_id).amount)
        line = queue.line(lane, tenant_id)
        if not line.amount:
            return None
        its = min(pictures, line.amount)
        asked = Waiting(tenant_id, lane, _FIRST, its, its * line.mean_pixels)
        return self.outlook.of_many(session, self.settings, asked).seconds
