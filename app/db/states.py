"""Versions, and what tells how long they will last: of many at once, by their primary keys."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Uuid,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Session

from app.db.campaigns import ended
from app.db.models import Campaign, Job
from app.domain.job import FINAL, JobStatus, Lane
from app.domain.parameters import Quality


@dataclass(frozen=True, slots=True)
class JobState:
    """What its answer depends on, but for links and forecasts."""

    id: UUID
    tenant_id: UUID
    version: int
    status: JobStatus
    lane: Lane
    priority: int
    pixels: int
    idle: bool  #: no claim would take it as it is: paused, unpaid or late
    age: float  #: seconds since a claim could first take it

    @classmethod
    def of(cls, job: Job, now: datetime) -> Self:
        """That of a row which was read for more; `now` is the database's."""
        late = job.deadline_at is not None and job.deadline_at <= now
        return cls(
            id=job.id,
            tenant_id=job.tenant_id,
            version=job.version,
            status=job.status,
            lane=job.lane,
            priority=job.priority,
            pixels=job.pixels,
            idle=job.paused or job.unfunded or late,
            age=(now - job.available_at).total_seconds(),
        )


@dataclass(frozen=True, slots=True)
class CampaignState:
    """The same of a campaign; its running jobs are counted, for they are not in its version."""

    id: UUID
    tenant_id: UUID
    version: int
    finished: bool
    paused: bool
    left: int  #: jobs that have not been drawn
    unpaid: int  #: of those, for which its budget has no room
    running: int
    priority: int
    prints: bool
    age: float  #: seconds since it was accepted

    @classmethod
    def of(cls, its: Campaign, running: int, now: datetime) -> Self:
        return cls(
            id=its.id,
            tenant_id=its.tenant_id,
            version=its.version,
            finished=its.finished_at is not None,
            paused=its.paused_at is not None,
            left=its.total - its.in_review - ended(its),
            unpaid=its.unfunded,
            running=running,
            priority=its.priority,
            prints=its.parameters.get("quality") == Quality.PRINT,
            age=(now - its.created_at).total_seconds(),
        )


def jobs(session: Session, ids: Collection[UUID]) -> list[JobState]:
    """Those that there are of these, whosever they are."""
    return [JobState(*row) for row in session.execute(_JOBS, {"ids": list(ids)})]


def campaigns(session: Session, ids: Collection[UUID]) -> list[CampaignState]:
    """The same of campaigns; one probe of a small index for each counts what runs of it."""
    return [CampaignState(*row) for row in session.execute(_CAMPAIGNS, {"ids": list(ids)})]


def _seconds(since: Any) -> ColumnElement[float]:
    return cast(func.extract("epoch", func.now() - since), Double)


_IDS = bindparam("ids", type_=ARRAY(Uuid))

_JOBS = select(
    Job.id,
    Job.tenant_id,
    Job.version,
    Job.status,
    Job.lane,
    Job.priority,
    Job.pixels,
    or_(Job.paused, Job.unfunded, func.coalesce(Job.deadline_at <= func.now(), false())),
    _seconds(Job.available_at),
).where(Job.id == any_(_IDS))

_CAMPAIGNS = select(
    Campaign.id,
    Campaign.tenant_id,
    Campaign.version,
    Campaign.finished_at.is_not(None),
    Campaign.paused_at.is_not(None),
    Campaign.total
    - Campaign.in_review
    - sum((getattr(Campaign, status.value) for status in FINAL), literal(0)),
    Campaign.unfunded,
    select(func.count())
    .where(Job.campaign_id == Campaign.id, text("jobs.status = 'running'"))
    .correlate(Campaign)
    .scalar_subquery(),
    Campaign.priority,
    func.coalesce(Campaign.parameters["quality"].astext == Quality.PRINT, false()),
    _seconds(Campaign.created_at),
).where(Campaign.id == any_(_IDS))
