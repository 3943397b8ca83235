"""What waits, lane by lane and tenant by tenant: read now and then, never for one request."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.orm import Session

from app.domain.job import Lane

STRIDE: Final = 64  #: jobs between marks: what finding a place among them may count


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands in its tenant's line: the most urgent first, of those the oldest."""

    priority: int
    id: UUID

    @property
    def order(self) -> tuple[int, UUID]:
        """What sorts places."""
        return -self.priority, self.id


@dataclass(frozen=True, slots=True)
class Mark:
    """A job in its tenant's line, and how many were before it when the line was read."""

    place: Place
    before: int


@dataclass(frozen=True, slots=True)
class Line:
    """One tenant's waiting jobs of one lane, in the order in which claims take them."""

    amount: int = 0
    pixels: int = 0
    marks: Sequence[Mark] = ()  #: the first job, and every `STRIDE`th from there

    @property
    def mean_pixels(self) -> float:
        """Of one job."""
        return self.pixels / self.amount if self.amount else 0.0

    def mark(self, place: Place) -> Mark | None:
        """The last mark that is not behind the place; None for what is before all of them."""
        found = bisect_right(self.marks, place.order, key=lambda mark: mark.place.order)
        return self.marks[found - 1] if found else None

    def at_least(self, place: Place) -> int:
        """How many jobs are before the place, up to `STRIDE` too few: nothing is counted."""
        mark = self.mark(place)
        return mark.before if mark else 0


Lines = Mapping[Lane, Mapping[UUID, Line]]


@dataclass(frozen=True, slots=True)
class Running:
    """Jobs of a lane that somebody works on, or will."""

    amount: int = 0
    pixels: int = 0


def lines(session: Session) -> Lines:
    """Every line; reads the whole queue along its index."""
    found: dict[Lane, dict[UUID, Line]] = {}
    marks: dict[tuple[Lane, UUID], list[Mark]] = {}
    for row in session.execute(_LINES, {"stride": STRIDE}):
        lane = Lane(row.lane)
        its = marks.setdefault((lane, row.tenant_id), [])
        its.append(Mark(Place(row.priority, row.id), row.before))
        found.setdefault(lane, {})[row.tenant_id] = Line(row.amount, row.pixels, its)
    return found


def running(session: Session) -> dict[Lane, Running]:
    """What is under way, by lane."""
    rows = session.execute(_RUNNING).all()
    return {Lane(row.lane): Running(row.amount, row.pixels) for row in rows}


def open_jobs(session: Session) -> dict[Lane, Running]:
    """What waits or is under way, by lane."""
    rows = session.execute(_OPEN).all()
    return {Lane(row.lane): Running(row.amount, row.pixels) for row in rows}


def before(session: Session, lane: Lane, tenant_id: UUID, line: Line, place: Place) -> int:
    """How many jobs of the line come before the place; counts at most about `STRIDE` of them."""
    mark = line.mark(place)
    if mark is None:
        return 0
    between = {
        "lane": lane.value,
        "tenant_id": tenant_id,
        "first_priority": mark.place.priority,
        "first": mark.place.id,
        "priority": place.priority,
        "job": place.id,
        "most": 2 * STRIDE,
    }
    return mark.before + int(session.scalar(_BETWEEN, between) or 0)


#: What a claim would take sooner or later, as the index of the queue has it; not what expires.
_WAITS: Final = """status = 'queued' AND NOT paused AND NOT unfunded
    AND (deadline_at IS NULL OR deadline_at > now())"""

_LINES = text(f"""
SELECT * FROM (
    SELECT lane, tenant_id, priority, id, row_number() OVER its_order - 1 AS before,
        count(*) OVER its AS amount, sum(pixels) OVER its AS pixels
    FROM jobs WHERE {_WAITS}
    WINDOW its AS (PARTITION BY lane, tenant_id), its_order AS (its ORDER BY priority DESC, id)
) AS waiting WHERE mod(before, :stride) = 0 ORDER BY lane, tenant_id, before
""").columns(id=Uuid, tenant_id=Uuid)  # noqa: S608 - a constant of ours

_RUNNING = text("""
SELECT lane, count(*) AS amount, coalesce(sum(pixels), 0) AS pixels
FROM jobs WHERE status = 'running' GROUP BY lane
""")

_OPEN = text("""
SELECT lane, sum(amount)::bigint AS amount, sum(pixels)::bigint AS pixels FROM (
    SELECT lane, count(*) AS amount, sum(pixels) AS pixels
    FROM jobs WHERE status = 'queued' AND NOT paused AND NOT unfunded GROUP BY lane
    UNION ALL
    SELECT lane, count(*), sum(pixels) FROM jobs WHERE status = 'running' GROUP BY lane
) AS every GROUP BY lane
""")

_ITS: Final = f"SELECT 1 FROM jobs WHERE {_WAITS} AND lane = :lane AND tenant_id = :tenant_id"  # noqa: S608

#: Three ranges of the queue's index: one condition for all would read the line from its start.
_BETWEEN = text(f"""
SELECT count(*) FROM (
    ({_ITS} AND priority = :first_priority AND id >= :first
        AND (:priority < :first_priority OR id < :job) ORDER BY id LIMIT :most)
    UNION ALL
    ({_ITS} AND priority < :first_priority AND priority > :priority LIMIT :most)
    UNION ALL
    ({_ITS} AND priority = :priority AND :priority < :first_priority AND id < :job LIMIT :most)
    LIMIT :most
) AS earlier
""").bindparams(  # noqa: S608
    bindparam("tenant_id", type_=Uuid),
    bindparam("first", type_=Uuid),
    bindparam("job", type_=Uuid),
)
