"""Every statement that changes a job. All of them go through `move`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Row,
    String,
    Uuid,
    and_,
    case,
    cast,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.db import campaigns, events, ledger
from app.db.arrays import as_table
from app.db.models import Job, JobHistory
from app.db.queue import claimable
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane, after_failure, backoff, sources
from app.errors import IllegalTransition, ImpastoError, NotFound

#: What every move tells about the jobs it moved.
MOVED = (
    Job.id,
    Job.tenant_id,
    Job.campaign_id,
    Job.custom_id,
    Job.status,
    Job.attempt,
    Job.lane,
    Job.source,
    Job.content_digest,
    Job.output_digest,
    Job.pixels,
    Job.style_version_id,
    Job.parameters,
    Job.webhook,
    Job.cost_micros,
    Job.error_code,
    Job.failures,
)


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


def claim(
    session: Session, lane: Lane, *, worker: str, limit: int, pixels: int, lease: float
) -> Sequence[Row[Any]]:
    """
    Take up to `limit` jobs of about `pixels` in all (one at least), fair between tenants.

    The attempt is counted here, before a byte of the picture is touched: a picture that kills
    its worker has been counted by then.
    """
    return move(
        session,
        JobStatus.RUNNING,
        Job.id.in_(claimable(lane, limit=limit, pixels=pixels)),
        by=worker,
        attempt=Job.attempt + 1,
        worker=worker,
        lease_until=func.now() + timedelta(seconds=lease),
        started_at=func.coalesce(Job.started_at, func.now()),
        stage="claimed",
    )


def renew(
    session: Session, held: Iterable[Held], stages: Iterable[str], *, lease: float
) -> set[UUID]:
    """Extend the leases still held; a job missing from the answer belongs to somebody else."""
    rows = list(held)
    new = as_table(
        id=(Uuid, [row.id for row in rows]),
        attempt=(Integer, [row.attempt for row in rows]),
        stage=(String, list(stages)),
    )
    statement = (
        update(Job)
        .where(Job.status == JobStatus.RUNNING, Job.id == new.c.id, Job.attempt == new.c.attempt)
        .values(lease_until=func.now() + timedelta(seconds=lease), stage=new.c.stage)
        .returning(Job.id)
    )
    return set(session.scalars(statement))


def succeed(session: Session, successes: Sequence[Success], *, by: str) -> set[UUID]:
    """End these jobs well; one whose attempt is no longer held is left as it is."""
    if not successes:
        return set()
    new = as_table(
        id=(Uuid, [success.held.id for success in successes]),
        attempt=(Integer, [success.held.attempt for success in successes]),
        output=(String, [success.output_digest for success in successes]),
        cost=(BigInteger, [success.cost_micros for success in successes]),
        timings=(String, [success.timings for success in successes]),
    )
    moved = move(
        session,
        JobStatus.SUCCEEDED,
        *_held(new),
        by=by,
        output_digest=new.c.output,
        cost_micros=new.c.cost,
        timings=cast(new.c.timings, JSONB),
    )
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
    rows = list(held)
    new = as_table(
        id=(Uuid, [row.id for row in rows]), attempt=(Integer, [row.attempt for row in rows])
    )
    return len(move(session, JobStatus.QUEUED, *_held(new), by=by, note="handed back"))


def fetched(session: Session, held: Held, *, content_digest: str, pixels: int, key: str) -> bool:
    """The picture behind a URL is stored: the job now waits for a stylizing worker."""
    mine = and_(Job.id == held.id, Job.attempt == held.attempt, Job.status == JobStatus.RUNNING)
    lane = case((Job.campaign_id.is_(None), Lane.INTERACTIVE.value), else_=Lane.CAMPAIGN.value)
    changes: dict[str, Any] = {
        "content_digest": content_digest,
        "pixels": pixels,
        "render_key": key,
    }
    return bool(move(session, JobStatus.QUEUED, mine, note="fetched", lane=lane, **changes))


def cancel(session: Session, tenant_id: UUID, job_id: UUID) -> None:
    """Withdraw a job, also a running one: its late answer is refused by the status alone."""
    mine = and_(Job.id == job_id, Job.tenant_id == tenant_id)
    if not move(session, JobStatus.CANCELED, mine):
        job = get(session, tenant_id, job_id)
        raise IllegalTransition(f"Job {job_id} is {job.status} and cannot be canceled.")


def cancel_campaign(session: Session, campaign_id: UUID) -> int:
    """Withdraw everything of a campaign that is not finished; what is finished is kept."""
    return len(move(session, JobStatus.CANCELED, Job.campaign_id == campaign_id))


def refuse(session: Session, ids: Sequence[UUID], *, code: str, detail: str) -> None:
    """Fail accepted jobs that cannot be done, before anybody claims them."""
    move(session, JobStatus.FAILED, Job.id.in_(ids), error_code=code, error_detail=detail[:2000])


def rescue(session: Session) -> int:
    """
    Give back the jobs whose worker stopped renewing.

    They run alone from then on, so that a picture that kills workers is told from its batch
    mates; one that killed `MAX_SOLO_CRASHES` workers alone is quarantined. The predicate stands
    in the UPDATE itself: a job finished in the meantime is not touched.
    """
    lost = and_(Job.status == JobStatus.RUNNING, Job.lease_until < func.now())
    alone = Job.lane == Lane.SOLO.value
    poison = and_(alone, Job.crashes + 1 >= MAX_SOLO_CRASHES)
    quarantined = move(
        session,
        JobStatus.FAILED,
        lost,
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
        note="lease expired",
        lane=case((Job.lane == Lane.FETCH.value, Lane.FETCH.value), else_=Lane.SOLO.value),
        crashes=Job.crashes + case((alone, 1), else_=0),
        # Behind the others that died with it, and the further the oftener it did.
        available_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, Job.crashes),
    )
    return len(quarantined) + len(rescued)


def get(session: Session, tenant_id: UUID, job_id: UUID) -> Job:
    """One job of this tenant. Raises `NotFound`, also for another tenant's."""
    job = session.get(Job, job_id)
    if job is None or job.tenant_id != tenant_id:
        raise NotFound(f"There is no job {job_id}.")
    return job


def move(
    session: Session,
    to: JobStatus,
    *where: ColumnElement[bool],
    by: str | None = None,
    note: str | None = None,
    **changes: Any,
) -> Sequence[Row[Any]]:
    """
    Compare-and-set the status of every job that matches, and all that must follow from it.

    History, ledger, campaign counts and events are written in the caller's transaction, so
    a status cannot be seen without its consequences. Answers with the jobs that moved.
    """
    moved = (
        update(Job)
        .where(Job.status.in_(sorted(sources(to))), *where)
        .values({"status": to, "version": Job.version + 1, **_consequences(to), **changes})
        .returning(*MOVED)
        .cte("moved")
    )
    wrote = (
        insert(JobHistory)
        .from_select(
            ["job_id", "status", "attempt", "worker", "note"],
            select(moved.c.id, moved.c.status, moved.c.attempt, literal(by), literal(note)),
        )
        .cte("wrote")
    )
    rows = session.execute(select(moved).add_cte(wrote)).all()
    if rows:
        events.record(session, to, rows)
    if rows and to.final:
        ledger.close(session, rows)
        campaigns.count(session, to, rows)
    return rows


def _consequences(to: JobStatus) -> dict[str, Any]:
    """Columns that a status implies; the table's constraints hold us to them."""
    if to is JobStatus.RUNNING:
        return {}
    free = {"worker": null(), "lease_until": null(), "stage": null()}
    return {**free, "finished_at": func.now()} if to.final else free


def _held(new: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Still running under the attempt its holder claimed: the fence."""
    running = Job.status == JobStatus.RUNNING
    return Job.id == new.c.id, Job.attempt == new.c.attempt, running
