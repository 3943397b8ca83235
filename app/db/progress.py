"""How far campaigns are, counted from their jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.models import Job
from app.domain.job import JobStatus


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is, counted from its jobs."""

    running: int
    pixels: int  #: of all outputs whose size is known
    worked: int  #: jobs that were started and have ended
    seconds: float | None  #: since the first one was started


def read(session: Session, campaign_ids: Sequence[UUID]) -> dict[UUID, Progress]:
    """How far each of these campaigns is; reads every job of them."""
    worked = Job.started_at.is_not(None) & Job.finished_at.is_not(None)
    statement = (
        select(
            Job.campaign_id,
            func.count().filter(Job.status == JobStatus.RUNNING),
            func.sum(Job.pixels),
            func.count().filter(worked),
            func.extract("epoch", func.now() - func.min(Job.started_at)),
        )
        .where(Job.campaign_id.in_(campaign_ids))
        .group_by(Job.campaign_id)
    )
    return {
        campaign_id: Progress(running, pixels, ended, None if age is None else float(age))
        for campaign_id, running, pixels, ended, age in session.execute(statement)
        if campaign_id is not None
    }
