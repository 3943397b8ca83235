"""What waits, lane by lane and tenant by tenant: read now and then, never for one request."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.orm import Session

from app.domain.job import Lane

STRIDE: Final = 256  #: jobs between marks: what finding a place among them may count


@dataclass(frozen=True, slots=True)
class Mark:
    """A job in its tenant's line, and how many were before it when the line was read."""

    id: UUID
    before: int


@dataclass(frozen=True, slots=True)
class Line:
    """One tenant's waiting jobs of one lane, oldest first."""

    amount: int = 0
    pixels: int = 0
    marks: Sequence[Mark] = ()  #: the first job, and every `STRIDE`th from there

    @property
    def mean_pixels(self) -> float:
        """Of one job."""
        return self.pixels / self.amount if self.amount else 0.0

    def mark(self, job_id: UUID) -> Mark | None:
        """The last mark that is no younger than the job; None for what is older than all."""
        place = bisect_right(self.marks, job_id, key=lambda mark: mark.id)
        return self.marks[place - 1] if place else None


Lines = Mapping[Lane, Mapping[UUID, Line]]


@dataclass(frozen=True, slots=True)
class Running:
    """Jobs of a lane that somebody works on."""

    amount: int = 0
    pixels: int = 0


def lines(session: Session) -> Lines:
    """Every line; reads the whole queue along its index."""
    found: dict[Lane, dict[UUID, Line]] = {}
    for row in session.execute(_LINES, {"stride": STRIDE}):
        its = found.setdefault(Lane(row.lane), {})
        known = its.get(row.tenant_id, Line(row.amount, row.pixels))
        marks = (*known.marks, Mark(row.id, row.before))
        its[row.tenant_id] = Line(row.amount, row.pixels, marks)
    return found


def running(session: Session) -> dict[Lane, Running]:
    """What is under way, by lane."""
    rows = session.execute(_RUNNING).all()
    return {Lane(row.lane): Running(row.amount, row.pixels) for row in rows}


def before(session: Session, lane: Lane, tenant_id: UUID, line: Line, job_id: UUID) -> int:
    """How many jobs of the line are older; counts at most about `STRIDE` of them."""
    mark = line.mark(job_id)
    if mark is None:
        return 0
    its = {"lane": lane.value, "tenant_id": tenant_id, "first": mark.id, "job": job_id}
    return mark.before + int(session.scalar(_BETWEEN, {**its, "most": 2 * STRIDE}) or 0)


_LINES = text("""
SELECT * FROM (
    SELECT lane, tenant_id, id, row_number() OVER its_order - 1 AS before,
        count(*) OVER its AS amount, sum(pixels) OVER its AS pixels
    FROM jobs WHERE status = 'queued' AND NOT paused AND NOT unfunded
    WINDOW its AS (PARTITION BY lane, tenant_id), its_order AS (its ORDER BY id)
) AS waiting WHERE mod(before, :stride) = 0 ORDER BY lane, tenant_id, id
""").columns(id=Uuid, tenant_id=Uuid)

_RUNNING = text("""
SELECT lane, count(*) AS amount, coalesce(sum(pixels), 0) AS pixels
FROM jobs WHERE status = 'running' GROUP BY lane
""")

_BETWEEN = text("""
SELECT count(*) FROM (
    SELECT FROM jobs
    WHERE status = 'queued' AND NOT paused AND NOT unfunded
        AND lane = :lane AND tenant_id = :tenant_id
        AND id >= :first AND id < :job
    ORDER BY id LIMIT :most
) AS older
""").bindparams(
    bindparam("tenant_id", type_=Uuid),
    bindparam("first", type_=Uuid),
    bindparam("job", type_=Uuid),
)
