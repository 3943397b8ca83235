"""What somebody who watches has not seen yet; while nothing changes, one look at an index."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import campaigns
from app.db.models import Campaign, Job, JobHistory
from app.domain.events import EventType, sequence
from app.domain.job import FINAL
from app.errors import NotFound

ENDS = tuple(status.value for status in FINAL)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `place` is its number, behind which the next one goes on."""

    place: int
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything behind some place."""

    place: int  #: of the last event there is
    over: bool  #: nothing comes behind it
    events: list[Event] = field(default_factory=list)


def job(session: Session, tenant_id: UUID, job_id: UUID, after: int) -> Seen:
    """A job's changes of status behind the number `after`. Raises `NotFound`."""
    rows = session.execute(
        select(JobHistory.status, JobHistory.attempt, JobHistory.at, JobHistory.version)
        .join(Job, Job.id == JobHistory.job_id)
        .where(JobHistory.job_id == job_id, Job.tenant_id == tenant_id)
        .order_by(JobHistory.id)
    ).all()
    if not rows:
        raise NotFound(f"There is no job {job_id}.")
    events = [_change(job_id, row, number) for number, row in enumerate(rows, start=1)]
    later = [event for event in events if event.place > after]
    return Seen(events[-1].place, rows[-1].status.final, later)


def _change(job_id: UUID, row: Any, number: int) -> Event:
    """What happened before versions were kept is numbered from 1: smaller than any that follows."""
    place = number if row.version is None else sequence(row.version)
    data = {
        "job_id": str(job_id),
        "status": row.status.value,
        "attempt": row.attempt,
        "at": row.at.isoformat(),
        "sequence": place,
    }
    return Event(place, f"job.{row.status}", data)


def campaign(session: Session, tenant_id: UUID, campaign_id: UUID, after: int) -> Seen:
    """
    A campaign as it is, if it changed since version `after`. Raises `NotFound`.

    What its owner changes once it has ended is no event: the end keeps its number.
    """
    its = campaigns.get(session, tenant_id, campaign_id)
    over = its.finished_at is not None
    place = its.finished_version or its.version
    if place == after:
        return Seen(place, over)
    name = EventType.CAMPAIGN_COMPLETED if over else EventType.CAMPAIGN_PROGRESS
    return Seen(place, over, [Event(place, name.value, _counts(its) | {"sequence": place})])


def _counts(its: Campaign) -> dict[str, Any]:
    counts = {name: getattr(its, name) for name in ENDS}
    return {
        "campaign_id": str(its.id),
        "status": campaigns.status(its),
        "total": its.total,
        **counts,
        "in_review": its.in_review,
        "left": its.total - sum(counts.values()),
        "cost_micros": its.cost_micros,
    }
