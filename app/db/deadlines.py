"""Deadlines: what still waits when its time has come is not wanted any more, and not billed."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.models import Job
from app.db.moves import move
from app.domain.job import JobStatus
from app.errors import DeadlineExceeded

MOST: Final = 5_000  #: of one sweep; the next one finds the rest


def expire(session: Session) -> int:
    """
    End what waits beyond its deadline; what runs by then is finished and delivered.

    Claims do not take it either, so that nothing begins between its deadline and this.
    """
    late = (Job.status == JobStatus.QUEUED, Job.deadline_at <= func.now())
    some = select(Job.id).where(*late).order_by(Job.deadline_at, Job.id).limit(MOST)
    return len(
        move(
            session,
            JobStatus.EXPIRED,
            *late,
            Job.id.in_(some.with_for_update(skip_locked=True)),
            note="deadline",
            error_code=DeadlineExceeded.code,
            error_detail="It still waited when its deadline came.",
        )
    )
