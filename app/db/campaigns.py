"""Campaigns: their counts, kept without a race, and their end, told once."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Row, Uuid, bindparam, case, func, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from app.db import events
from app.db.models import Campaign
from app.domain.job import FINAL, JobStatus
from app.errors import IllegalTransition, NotFound


def count(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> None:
    """
    Add ended jobs to their campaigns; the row lock orders workers, so the last one is the last.

    Campaigns are taken in the order of their ids: two groups cannot wait for each other.
    """
    ended = Counter(row.campaign_id for row in rows if row.campaign_id is not None)
    costs: Counter[UUID] = Counter()
    for row in rows:
        if row.campaign_id is not None:
            costs[row.campaign_id] += row.cost_micros or 0
    for campaign_id in sorted(ended):
        _add(session, campaign_id, to, ended[campaign_id], costs[campaign_id])


def _add(session: Session, campaign_id: UUID, to: JobStatus, jobs: int, cost: int) -> None:
    added = {"its_id": campaign_id, "more_jobs": jobs, "more_cost": cost}
    campaign = session.scalars(_ADD[to], added, execution_options={"populate_existing": True}).one()
    if campaign.finished_at is not None:
        events.record_completed(session, campaign)


def get(session: Session, tenant_id: UUID, campaign_id: UUID) -> Campaign:
    """One campaign of this tenant. Raises `NotFound`, also for another tenant's."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.tenant_id != tenant_id:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return campaign


def unfinished(session: Session, tenant_id: UUID, campaign_id: UUID) -> Campaign:
    """The same, if it can still be changed. Raises `IllegalTransition`, too."""
    campaign = get(session, tenant_id, campaign_id)
    if campaign.finished_at is not None:
        raise IllegalTransition(f"Campaign {campaign_id} is finished.")
    return campaign


def note_cancel(session: Session, campaign_id: UUID) -> None:
    """Keep when its owner gave it up; after its jobs moved, because they are locked first."""
    given_up = {"cancel_requested_at": func.now(), "version": Campaign.version + 1}
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(given_up))


def _adding(to: JobStatus) -> ReturningUpdate[Campaign]:
    more = bindparam("more_jobs", type_=Integer)
    finals = Campaign.succeeded + Campaign.failed + Campaign.canceled + more
    cost = Campaign.cost_micros + bindparam("more_cost", type_=BigInteger)
    return (
        update(Campaign)
        .where(Campaign.id == bindparam("its_id", type_=Uuid))
        .values(
            {
                to.value: getattr(Campaign, to.value) + more,
                "cost_micros": cost,
                "version": Campaign.version + 1,
                "finished_at": case((finals == Campaign.total, func.now())),
            }
        )
        .returning(Campaign)
    )


_ADD = {to: _adding(to) for to in FINAL}
