"""
Budgets: which jobs of a campaign are paid for, decided under the lock of its row.

A job that the budget has no room for is `unfunded`, and out of every claim's sight. Room comes back
when others end for less than was set aside for them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, func, select, text, update
from sqlalchemy.orm import Session

from app.db import events
from app.db.intake import NewJob
from app.db.models import Campaign, Job
from app.domain.job import JobStatus, Lane

WARNED_AT: Final = 0.8  #: of the budget, when its owner is told
MOST: Final = 500  #: jobs that one settlement lets in; it is asked again while there is room

_LET_IN = text("""
WITH waiting AS (
    SELECT id, reserved_micros, priority FROM jobs
    WHERE campaign_id = :campaign_id AND status = 'queued' AND unfunded
    ORDER BY priority DESC, id LIMIT :most FOR UPDATE SKIP LOCKED
), place AS (
    SELECT id, sum(reserved_micros) OVER (ORDER BY priority DESC, id) AS upto FROM waiting
)
UPDATE jobs SET unfunded = false FROM place
WHERE jobs.id = place.id AND upto <= :room
RETURNING jobs.lane, jobs.reserved_micros
""")

#: Those whose picture was drawn meanwhile cost nothing: what is left of the budget is enough.
_LET_IN_FREE = text("""
UPDATE jobs SET unfunded = false WHERE id IN (
    SELECT id FROM jobs AS wanted
    WHERE campaign_id = :campaign_id AND status = 'queued' AND unfunded
        AND EXISTS (SELECT FROM jobs AS drawn
            JOIN assets ON assets.tenant_id = drawn.tenant_id
                AND assets.digest = drawn.output_digest AND assets.erased_at IS NULL
            WHERE drawn.tenant_id = wanted.tenant_id AND drawn.cache_key = wanted.cache_key
                AND drawn.status = 'succeeded' AND drawn.rendered_by IS NULL)
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
) RETURNING jobs.lane, jobs.reserved_micros
""")


def share_out(campaign: Campaign, planned: Sequence[NewJob]) -> list[NewJob]:
    """Mark what the budget has no room for, and note both in the campaign; in its order."""
    if campaign.budget_micros is None:
        return list(planned)
    marked, full = [], bool(campaign.unfunded)
    for job in planned:
        full = full or campaign.allotted_micros + job.reserve_micros > campaign.budget_micros
        campaign.unfunded += full
        campaign.allotted_micros += 0 if full else job.reserve_micros
        marked.append(replace(job, unfunded=full))
    return marked


def settle(session: Session, campaign: Campaign) -> bool:
    """
    Let in what there is room for, and tell once when it gets scarce; the campaign's row is locked.

    True when what is left can never be paid for: nothing that could still cost less is under way.
    """
    if campaign.budget_micros is None:
        return False
    while campaign.unfunded and _let_in(session, campaign) == MOST:
        continue
    stopped = campaign.unfunded > 0 and campaign.allotted_micros == 0
    if stopped and _let_in_free(session, campaign):
        return False
    scarce = campaign.cost_micros >= WARNED_AT * campaign.budget_micros
    if (scarce or stopped) and campaign.budget_told_at is None:
        campaign.budget_told_at = func.now()
        session.flush()
        events.record_budget(session, campaign)
    return stopped


def unpaid(campaign_id: UUID) -> Select[UUID]:
    """What is left of a campaign whose budget is spent; whoever has locked a row decides on it."""
    left = (Job.campaign_id == campaign_id, Job.status == JobStatus.QUEUED, Job.unfunded)
    return select(Job.id).where(*left).order_by(Job.id).with_for_update(skip_locked=True)


def locked(session: Session, campaign_id: UUID | None) -> Campaign | None:
    """The campaign, if it has a budget, under the lock that whoever spends it must hold."""
    its = (Campaign.id == campaign_id, Campaign.budget_micros.is_not(None))
    return session.scalars(select(Campaign).where(*its).with_for_update()).one_or_none()


def resize(session: Session, campaign: Campaign, row: Row[Any], reserve_micros: int) -> None:
    """A waiting job's size became known, and with it what it costs: it may have to wait for it."""
    room = (campaign.budget_micros or 0) - campaign.cost_micros
    room -= campaign.allotted_micros - row.reserved_micros
    waits = reserve_micros > room
    campaign.allotted_micros += (0 if waits else reserve_micros) - row.reserved_micros
    campaign.unfunded += waits
    campaign.version += 1
    session.flush()
    changes = {"reserved_micros": reserve_micros, "unfunded": waits}
    session.execute(update(Job).where(Job.id == row.id).values(changes))


def let_in(session: Session) -> set[Lane]:
    """The lanes into which this transaction let jobs, so that somebody should be woken after it."""
    lanes: set[Lane] = session.info.get("let_in", set())
    return lanes


def _let_in(session: Session, campaign: Campaign) -> int:
    """How many there was room for; fewer than `MOST` when there is no more."""
    room = (campaign.budget_micros or 0) - campaign.cost_micros - campaign.allotted_micros
    if room <= 0:
        return 0
    given = {"campaign_id": campaign.id, "room": room, "most": MOST}
    return _note(session, campaign, session.execute(_LET_IN, given).all())


def _let_in_free(session: Session, campaign: Campaign) -> int:
    """How many of those that the budget has no room for need none."""
    given = {"campaign_id": campaign.id, "most": MOST}
    return _note(session, campaign, session.execute(_LET_IN_FREE, given).all())


def _note(session: Session, campaign: Campaign, rows: Sequence[Row[Any]]) -> int:
    if rows:
        session.info.setdefault("let_in", set()).update(Lane(row.lane) for row in rows)
        campaign.unfunded -= len(rows)
        campaign.allotted_micros += sum(row.reserved_micros for row in rows)
        campaign.version += 1
        session.flush()
    return len(rows)
