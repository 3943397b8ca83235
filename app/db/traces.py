"""Which traces rows belong to; asked only where somebody traces."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from app.db.models import Campaign, EventRow, Job


def of_jobs(session: Session, rows: Iterable[Row[Any]]) -> Mapping[UUID, str]:
    """The `traceparent` of each job that has one: its own, or its campaign's."""
    parent = func.coalesce(Job.traceparent, Campaign.traceparent)
    its = select(Job.id, parent).outerjoin(Campaign, Campaign.id == Job.campaign_id)
    ids = [row.id for row in rows]
    return {one: text for one, text in session.execute(its.where(Job.id.in_(ids))) if text}


def of_events(session: Session, ids: Iterable[UUID]) -> Mapping[UUID, str]:
    """The same of what events tell of."""
    parent = func.coalesce(Job.traceparent, Campaign.traceparent)
    its = (
        select(EventRow.id, parent)
        .outerjoin(Job, Job.id == EventRow.job_id)
        .outerjoin(Campaign, Campaign.id == EventRow.campaign_id)
    )
    return {one: text for one, text in session.execute(its.where(EventRow.id.in_(ids))) if text}
