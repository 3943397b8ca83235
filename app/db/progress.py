"""How far campaigns are, counted from their jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.db.models import Job
from app.domain.job import JobStatus


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is, counted from its jobs."""

    running: int
    waiting: int  #: whose turn comes: neither paused nor unpaid nor late
    waiting_pixels: int
    pixels: int  #: of all outputs whose size is known
    worked: int  #: jobs that were started and have ended
    seconds: float | None  #: since the first one was started


#: Of a campaign that has ended: nothing needs to be counted any more.
NONE: Final = Progress(0, 0, 0, 0, 0, None)


def read(session: Session, campaign_ids: Sequence[UUID]) -> dict[UUID, Progress]:
    """How far each of these campaigns is; reads every job of them."""
    in_time = or_(Job.deadline_at.is_(None), Job.deadline_at > func.now())
    free = and_(Job.status == JobStatus.QUEUED, ~Job.paused, ~Job.unfunded, in_time)
    worked = Job.started_at.is_not(None) & Job.finished_at.is_not(None)
    statement = (
        select(
            Job.campaign_id,
            func.count().filter(Job.status == JobStatus.RUNNING),
            func.count().filter(free),
            func.coalesce(func.sum(Job.pixels).filter(free), 0),
            func.sum(Job.pixels),
            func.count().filter(worked),
            func.extract("epoch", func.now() - func.min(Job.started_at)),
        )
        .where(Job.campaign_id.in_(campaign_ids))
        .group_by(Job.campaign_id)
    )
    found: dict[UUID, Progress] = {}
    for whose, running, waiting, waiting_pixels, pixels, ended, age in session.execute(statement):
        seconds = None if age is None else float(age)
        if whose is not None:
            found[whose] = Progress(running, waiting, waiting_pixels, pixels, ended, seconds)
    return found
