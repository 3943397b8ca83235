"""What its owner does to work under way: pause, resume, reprioritise, retry."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, null, or_, select, update
from sqlalchemy.orm import Session

from app.db import campaigns, jobs, ledger
from app.db.models import Campaign, Job
from app.db.moves import move, settle_budget
from app.domain.job import RETRYABLE, JobStatus, Lane
from app.errors import IllegalTransition

#: A picture that is here, or behind a URL. One refused at the door, or erased, is neither.
_can_run = and_(
    Job.erased_at.is_(None),
    or_(Job.content_digest.is_not(None), Job.source.startswith("http")),
)


def pause(session: Session, tenant_id: UUID, campaign_id: UUID) -> bool:
    """
    Keep claims from what waits of a campaign; what runs is finished. False: it is paused already.

    Raises `NotFound`, and `IllegalTransition` once it has finished.
    """
    campaigns.steer(session, campaign_id)
    if campaigns.unfinished(session, tenant_id, campaign_id).paused_at is not None:
        return False
    _mark(session, campaign_id, paused=True)
    _note(session, campaign_id, paused_at=func.now())
    return True


def resume(session: Session, tenant_id: UUID, campaign_id: UUID) -> set[Lane] | None:
    """
    Let claims see it again. Answers with the lanes to wake, None where it was not paused.

    Raises what `pause` does.
    """
    campaigns.steer(session, campaign_id)
    if campaigns.unfinished(session, tenant_id, campaign_id).paused_at is None:
        return None
    lanes = _mark(session, campaign_id, paused=False)
    _note(session, campaign_id, paused_at=null())
    return lanes


def prioritise_campaign(
    session: Session, tenant_id: UUID, campaign_id: UUID, priority: int
) -> None:
    """Put what waits of a campaign before or behind what else of its tenant's waits."""
    campaigns.steer(session, campaign_id)
    campaigns.unfinished(session, tenant_id, campaign_id)
    _mark(session, campaign_id, priority=priority)
    _note(session, campaign_id, priority=priority)


def prioritise_job(session: Session, tenant_id: UUID, job_id: UUID, priority: int) -> None:
    """The same for one job. Raises `NotFound`, and `IllegalTransition` once nothing waits."""
    changes = {"priority": priority, "version": Job.version + 1}
    its = update(Job).where(Job.id == job_id, Job.tenant_id == tenant_id, _open)
    if not session.scalars(its.values(changes).returning(Job.id)).all():
        status = jobs.get(session, tenant_id, job_id).status
        raise IllegalTransition(f"Job {job_id} is {status}: it waits for nothing any more.")


def set_budget(session: Session, tenant_id: UUID, campaign_id: UUID, budget: int) -> None:
    """
    Another limit for a campaign that has one; what was let in under the old one stays in.

    Raises `NotFound`, and `IllegalTransition` where there was no budget from the start.
    """
    campaigns.steer(session, campaign_id)
    campaign = campaigns.get(session, tenant_id, campaign_id)
    session.refresh(campaign, with_for_update=True)
    if campaign.budget_micros is None:
        raise IllegalTransition("This campaign was accepted without a budget.")
    campaign.budget_micros = budget
    campaign.version += 1
    session.flush()
    settle_budget(session, campaign)


def retry_job(session: Session, tenant_id: UUID, job_id: UUID) -> Lane:
    """
    Run a failed or expired job again under its own id. Answers with the lane to wake.

    Raises `NotFound`, and `IllegalTransition` for one that is neither, or has no picture.
    """
    job = jobs.get(session, tenant_id, job_id)
    if job.campaign_id is not None:
        campaigns.steer(session, job.campaign_id)
    moved = _again(session, job.campaign_id, Job.id == job_id, Job.status.in_(RETRYABLE))
    if not moved:
        session.refresh(job)
        if job.status in RETRYABLE:
            raise IllegalTransition(
                "Its picture never arrived, or was erased; hand it in as a new job."
            )
        raise IllegalTransition(f"Job {job_id} is {job.status}; what failed can be retried.")
    return Lane(moved[0].lane)


def retry_failed(session: Session, tenant_id: UUID, campaign_id: UUID) -> Sequence[Row[Any]]:
    """
    Run all failed jobs of a campaign again that have a picture; it is open again then.

    Answers with them, as they moved. Raises `NotFound`, and `IllegalTransition` if there is none.
    """
    campaigns.steer(session, campaign_id)
    campaigns.get(session, tenant_id, campaign_id)
    its = (Job.campaign_id == campaign_id, Job.status == JobStatus.FAILED)
    moved = _again(session, campaign_id, *its)
    if not moved:
        raise IllegalTransition("No job of this campaign failed that could run again.")
    return moved


def _again(
    session: Session, campaign_id: UUID | None, *which: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """A new round: everything that counted against the job is forgotten, but for its history."""
    campaign = None if campaign_id is None else session.get_one(Campaign, campaign_id)
    if campaign is not None:
        session.refresh(campaign)
    ended = _ended(session, *which)
    rows = move(
        session,
        JobStatus.QUEUED,
        Job.id.in_(ended),
        _can_run,
        note="retried",
        round=Job.round + 1,
        failures=0,
        crashes=0,
        error_code=null(),
        error_detail=null(),
        finished_at=null(),
        deadline_at=null(),
        available_at=func.now(),
        paused=campaign is not None and campaign.paused_at is not None,
        unfunded=campaign is not None and campaign.budget_micros is not None,
    )
    ledger.reopen(session, rows)
    if campaign is not None and rows:
        _reopen(session, campaign, rows, ended)
    return rows


def _ended(session: Session, *which: ColumnElement[bool]) -> dict[UUID, JobStatus]:
    """How these ended, locked in the order that all groups are locked in."""
    locked = select(Job.id, Job.status).where(*which).order_by(Job.id).with_for_update()
    return {row.id: row.status for row in session.execute(locked)}


def _reopen(
    session: Session, campaign: Campaign, rows: Sequence[Row[Any]], ended: dict[UUID, JobStatus]
) -> None:
    groups: defaultdict[JobStatus, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        groups[ended[row.id]].append(row)
    for status, group in groups.items():
        campaigns.reopen(session, campaign.id, group, status)
    session.refresh(campaign)
    settle_budget(session, campaign)


_open = Job.status.in_([status for status in JobStatus if status.open])


def _mark(session: Session, campaign_id: UUID, **marks: Any) -> set[Lane]:
    """
    Of every job that waits or runs: a running one that comes back finds its mark.

    In the order of their ids, and before the campaign's row, as workers do. Answers with the
    lanes in which any waits.
    """
    its = select(Job.id).where(Job.campaign_id == campaign_id, _open).order_by(Job.id)
    changes = {"version": Job.version + 1} if "priority" in marks else {}  # that one is shown
    marked = update(Job).where(Job.id.in_(its.with_for_update())).values(marks | changes)
    rows = session.execute(marked.returning(Job.lane, Job.status))
    return {row.lane for row in rows if row.status is JobStatus.QUEUED}


def _note(session: Session, campaign_id: UUID, **facts: Any) -> None:
    changes = {**facts, "version": Campaign.version + 1}
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(changes))
