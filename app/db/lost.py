"""Jobs whose worker stopped renewing: given back, or quarantined when they are the reason."""

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from app.db.models import Job
from app.db.moves import move
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane


def rescue(session: Session) -> int:
    """
    Give back the jobs whose worker stopped renewing.

    They run in small groups from then on, and alone if the group dies, too: so a picture that
    kills workers is told from its batch mates, and those of a worker that just died are done
    soon. What was fetched, printed or learned stays in its lane: there it runs alone. One that
    killed `MAX_SOLO_CRASHES` workers alone is quarantined. The predicate stands in the UPDATE
    itself: a job finished in the meantime is not touched. Rows that a frozen worker has locked
    wait for a later sweep, or it would hold up all others.
    """
    lost = and_(Job.status == JobStatus.RUNNING, Job.lease_until < func.now())
    free = Job.id.in_(select(Job.id).where(lost).order_by(Job.id).with_for_update(skip_locked=True))
    # Counted from the second time for those that are drawn, from the first for the others:
    # either way once as it comes, then alone.
    lonely = [lane for lane in Lane if lane.lonely]
    counts = Job.lane.in_([Lane.SOLO, *lonely])
    poison = and_(counts, Job.crashes >= MAX_SOLO_CRASHES)
    quarantined = move(
        session,
        JobStatus.FAILED,
        lost,
        free,
        poison,
        note="quarantined",
        crashes=Job.crashes + 1,
        error_code="quarantined",
        error_detail="Its attempts killed the worker each time, also when it ran alone.",
    )
    rescued = move(
        session,
        JobStatus.QUEUED,
        lost,
        free,
        note="lease expired",
        lane=case((Job.lane.in_(lonely), Job.lane), else_=Lane.SOLO.value),
        crashes=Job.crashes + case((counts, 1), else_=0),
        # Behind the others that died with it, and the further the oftener it did.
        available_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, Job.crashes),
    )
    return len(quarantined) + len(rescued)
