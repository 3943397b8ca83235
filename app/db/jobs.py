"""What changes a job, but for rescues (`app.db.lost`). All are moves (`app.db.moves`)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Row,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.db import campaigns
from app.db.arrays import as_table
from app.db.ledger import Bill
from app.db.models import Job
from app.db.moves import BY, carry_out, move, moving
from app.db.queue import claimable
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane, after_failure, backoff, sources
from app.domain.parameters import Quality
from app.errors import IllegalTransition, ImpastoError, NotFound


@dataclass(frozen=True, slots=True)
class Held:
    """A job under the attempt number its holder claimed. Without the number it is nobody's."""

    id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Success:
    """What one attempt brought; the asset is stored and written before this is."""

    held: Held
    output_digest: str
    cost_micros: int
    timings: str  #: JSON, milliseconds per stage
    bill: Bill | None = None  #: None: nothing was measured
    warnings: Sequence[str] = ()  #: what is odd about the output
    review: bool = False  #: a person must approve it first


def claim(
    session: Session,
    lane: Lane,
    *,
    worker: str,
    limit: int,
    pixels: int,
    lease: float,
    crashes: int = MAX_SOLO_CRASHES,
    most_each: int = 2**31 - 1,
) -> Sequence[Row[Any]]:
    """
    Take up to `limit` jobs of about `pixels` in all (one at least), fair between tenants.

    None of more than `most_each` pixels, for those whose hands are full of large ones.

    `crashes` 0 leaves out those that have killed a worker since they are suspected.

    The attempt is counted here, before a byte of the picture is touched: a picture that kills
    its worker has been counted by then.
    """
    wanted: dict[str, Any] = {
        "its_lane": lane.value,
        "most_jobs": limit,
        "most_pixels": pixels,
        "most_crashes": crashes,
        "most_each": most_each,
        "lease": lease,
    }
    return carry_out(session, JobStatus.RUNNING, _CLAIM, by=worker, **wanted)


def renew(
    session: Session, held: Iterable[Held], stages: Iterable[str], *, lease: float
) -> set[UUID]:
    """Extend the leases still held; a job missing from the answer belongs to somebody else."""
    renewed = session.scalars(_RENEW, _new(held) | {"new_stage": list(stages), "lease": lease})
    return set(renewed)


def succeed(session: Session, successes: Sequence[Success], *, by: str) -> set[UUID]:
    """
    End these jobs well, or hand them to a reviewer; one whose attempt is no longer held is left.

    Answers with those whose attempt counted.
    """
    waiting = [success for success in successes if success.review]
    if waiting:  # two statements: locked beforehand in the order that all groups are locked in
        ids = [success.held.id for success in successes]
        its = select(Job.campaign_id).where(Job.id.in_(ids)).order_by(Job.id)
        campaigns.hold(session, session.scalars(its.with_for_update()))
    done = _bring(session, JobStatus.IN_REVIEW, waiting, by)
    return done | _bring(
        session, JobStatus.SUCCEEDED, [one for one in successes if not one.review], by
    )


def _bring(session: Session, to: JobStatus, successes: Sequence[Success], by: str) -> set[UUID]:
    if not successes:
        return set()
    successes = sorted(successes, key=lambda success: success.held.id)
    brought: dict[str, Any] = {
        "new_output": [success.output_digest for success in successes],
        "new_cost": [success.cost_micros for success in successes],
        "new_timings": [success.timings for success in successes],
        "new_warnings": [json.dumps(list(success.warnings)) for success in successes],
    }
    held = _new(success.held for success in successes)
    bills = {success.held.id: success.bill for success in successes if success.bill}
    moved = carry_out(session, to, _BRING[to], by=by, bills=bills, **held, **brought)
    return {row.id for row in moved}


def break_off(
    session: Session, held: Held, error: ImpastoError, *, failures: int, by: str
) -> JobStatus | None:
    """
    End a broken attempt: queued again after a rest, or failed for good.

    `failures` is how often the job broke before. None when the attempt was no longer held.
    """
    failures += 1
    to = after_failure(failures, retryable=error.retryable)
    changes: dict[str, Any] = {"failures": failures}
    if to is JobStatus.FAILED:
        changes |= {"error_code": error.code, "error_detail": str(error)[:2000]}
    else:
        changes["available_at"] = func.now() + timedelta(seconds=backoff(failures))
    mine = and_(Job.id == held.id, Job.attempt == held.attempt, Job.status == JobStatus.RUNNING)
    return to if move(session, to, mine, by=by, note=error.code, **changes) else None


def hand_back(session: Session, held: Iterable[Held], *, by: str) -> int:
    """Return unbroken work at shutdown: queued at once, and nobody's failure."""
    given = _new(held)
    if not given["new_id"]:
        return 0
    note = "handed back"
    return len(carry_out(session, JobStatus.QUEUED, _HAND_BACK, by=by, note=note, **given))


def defer(session: Session, held: Held, *, seconds: float, by: str) -> None:
    """Return a job for a while because another one brings what it needs."""
    mine = and_(Job.id == held.id, Job.attempt == held.attempt, Job.status == JobStatus.RUNNING)
    later = func.now() + timedelta(seconds=seconds)
    move(session, JobStatus.QUEUED, mine, by=by, note="waits for its picture", available_at=later)


def fetched(
    session: Session,
    held: Held,
    *,
    content_digest: str,
    pixels: int,
    key: str,
    shared: bool = False,
) -> Sequence[Row[Any]]:
    """
    The picture behind a URL is stored: the job now waits for a stylizing worker.

    `shared`: its picture may be another job's.
    """
    mine = and_(Job.id == held.id, Job.attempt == held.attempt, Job.status == JobStatus.RUNNING)
    prints = Job.parameters["quality"].astext == Quality.PRINT
    lane = case(
        (prints, Lane.PRINT.value),
        (Job.campaign_id.is_(None), Lane.INTERACTIVE.value),
        else_=Lane.CAMPAIGN.value,
    )
    changes: dict[str, Any] = {
        "content_digest": content_digest,
        "pixels": pixels,
        "render_key": key,
        "cache_key": key if shared else None,
        "crashes": 0,  # its server and its header are behind it
    }
    return move(session, JobStatus.QUEUED, mine, note="fetched", lane=lane, **changes)


def cancel(session: Session, tenant_id: UUID, job_id: UUID) -> None:
    """Withdraw a job, also a running one: its late answer is refused by the status alone."""
    mine = and_(Job.id == job_id, Job.tenant_id == tenant_id)
    if not move(session, JobStatus.CANCELED, mine):
        job = get(session, tenant_id, job_id)
        raise IllegalTransition(f"Job {job_id} is {job.status} and cannot be canceled.")


def cancel_campaign(session: Session, campaign_id: UUID) -> int:
    """Withdraw everything of a campaign that is not finished; what is finished is kept."""
    # Locked in the order of their ids, as groups are when they end: nobody waits in a circle.
    # What awaits review is kept, too: it is done and paid for, and a reviewer ends it.
    open_ones = Job.status.in_(sorted(sources(JobStatus.CANCELED)))
    its = select(Job.id).where(Job.campaign_id == campaign_id, open_ones).order_by(Job.id)
    return len(move(session, JobStatus.CANCELED, Job.id.in_(its.with_for_update())))


def canceled(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these jobs that were withdrawn."""
    its = (Job.id.in_(ids), Job.status == JobStatus.CANCELED)
    return set(session.scalars(select(Job.id).where(*its)))


def refuse(session: Session, ids: Sequence[UUID], *, code: str, detail: str) -> None:
    """Fail accepted jobs that cannot be done, before anybody claims them."""
    move(session, JobStatus.FAILED, Job.id.in_(ids), error_code=code, error_detail=detail[:2000])


def get(session: Session, tenant_id: UUID, job_id: UUID) -> Job:
    """One job of this tenant. Raises `NotFound`, also for another tenant's."""
    job = session.get(Job, job_id)
    if job is None or job.tenant_id != tenant_id:
        raise NotFound(f"There is no job {job_id}.")
    return job


def _held(new: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Still running under the attempt its holder claimed: the fence."""
    running = Job.status == JobStatus.RUNNING
    return Job.id == new.c.id, Job.attempt == new.c.attempt, running


def _new(held: Iterable[Held]) -> dict[str, Any]:
    """What `as_table` needs of jobs and their attempts."""
    rows = list(held)
    return {"new_id": [row.id for row in rows], "new_attempt": [row.attempt for row in rows]}


_LEASE = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("lease", type_=Double))

_CLAIM = moving(
    JobStatus.RUNNING,
    Job.id.in_(claimable()),
    attempt=Job.attempt + 1,
    worker=BY,
    lease_until=_LEASE,
    started_at=func.coalesce(Job.started_at, func.now()),
    stage="claimed",
)

_renewed = as_table(id=Uuid, attempt=Integer, stage=String)
_RENEW = (
    update(Job)
    .where(*_held(_renewed))
    .values(
        lease_until=_LEASE,
        stage=_renewed.c.stage,
        # Callers see the stage: it is part of what the ETag stands for.
        version=Job.version + case((Job.stage == _renewed.c.stage, 0), else_=1),
    )
    .returning(Job.id)
)

_done = as_table(
    id=Uuid,
    attempt=Integer,
    output=String,
    cost=BigInteger,
    timings=String,
    warnings=String,
)
_BRING = {
    to: moving(
        to,
        *_held(_done),
        output_digest=_done.c.output,
        cost_micros=_done.c.cost,
        timings=cast(_done.c.timings, JSONB),
        warnings=cast(_done.c.warnings, JSONB),
    )
    for to in (JobStatus.SUCCEEDED, JobStatus.IN_REVIEW)
}

_HAND_BACK = moving(JobStatus.QUEUED, *_held(as_table(id=Uuid, attempt=Integer)))
