"""Campaigns: their counts, kept without a race, and their end, told once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Row,
    Uuid,
    and_,
    bindparam,
    case,
    false,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from app.db.events import listeners
from app.db.models import Campaign
from app.domain.events import PROGRESS_PERCENT, PROGRESS_SECONDS, EventType
from app.domain.job import FINAL, JobStatus
from app.errors import IllegalTransition, NotFound


@dataclass(slots=True)
class Share:
    """What a group of moved jobs means to one campaign."""

    jobs: int = 0
    cost: int = 0
    reviewed: int = 0  #: had been counted as in review, with their cost
    freed: int = 0  #: of the budget, set aside for them until now
    cached: int = 0  #: drawn before
    unfunded: int = 0  #: ended without the budget ever having had room for them

    def add(self, row: Row[Any]) -> None:
        self.jobs += 1
        if row.verdict is not None:
            self.reviewed += 1
            return
        self.cost += row.cost_micros or 0
        self.cached += row.rendered_by is not None
        self.unfunded += row.unfunded
        self.freed += 0 if row.unfunded else row.reserved_micros


def count(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """
    Add moved jobs to their campaigns; the row lock orders workers, so the last one is the last.

    Campaigns are taken in the order of their ids: two groups cannot wait for each other. Answers
    with them as they are now, each with whether it is time to tell how far it is, and whom.
    """
    shares: defaultdict[UUID, Share] = defaultdict(Share)
    for row in rows:
        if row.campaign_id is not None:
            shares[row.campaign_id].add(row)
    return [_add(session, its_id, to, shares[its_id]) for its_id in sorted(shares)]


def _add(session: Session, campaign_id: UUID, to: JobStatus, share: Share) -> Row[Any]:
    given = {f"more_{name}": value for name, value in asdict(share).items()}
    now = {"populate_existing": True}
    return session.execute(_ADD[to], {"its_id": campaign_id, **given}, execution_options=now).one()


def get(session: Session, tenant_id: UUID, campaign_id: UUID) -> Campaign:
    """One campaign of this tenant. Raises `NotFound`, also for another tenant's."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.tenant_id != tenant_id:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return campaign


def ended(campaign: Campaign) -> int:
    """How many of its jobs have, one way or the other."""
    return sum(getattr(campaign, status.value) for status in FINAL)


def status(campaign: Campaign) -> Literal["running", "paused", "finished"]:
    """What its owner is told that it does."""
    if campaign.finished_at is not None:
        return "finished"
    return "running" if campaign.paused_at is None else "paused"


def unfinished(session: Session, tenant_id: UUID, campaign_id: UUID) -> Campaign:
    """The same, if it can still be changed. Raises `IllegalTransition`, too."""
    campaign = get(session, tenant_id, campaign_id)
    if campaign.finished_at is not None:
        raise IllegalTransition(f"Campaign {campaign_id} is finished.")
    return campaign


def hold(session: Session, campaign_ids: Iterable[UUID | None]) -> None:
    """
    Lock these before a transaction counts more than once, in the order that `count` takes them.

    After its jobs are locked, because workers lock those first.
    """
    ids = {one for one in campaign_ids if one is not None}
    if len(ids) > 1:
        its = select(Campaign.id).where(Campaign.id.in_(ids)).order_by(Campaign.id)
        session.execute(its.with_for_update(key_share=True))


def note_cancel(session: Session, campaign_id: UUID) -> None:
    """Keep when its owner gave it up; after its jobs moved, because they are locked first."""
    given_up = {"cancel_requested_at": func.now(), "version": Campaign.version + 1}
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(given_up))


def reopen(session: Session, campaign_id: UUID, rows: Sequence[Row[Any]], ended: JobStatus) -> None:
    """
    Take retried jobs out of the counts; a campaign that had finished begins another round.

    Where there is a budget, they wait for it like those it had no room for.
    """
    amount, counted = len(rows), getattr(Campaign, ended.value)
    values = {
        ended.value: counted - amount,
        "version": Campaign.version + 1,
        "round": Campaign.round + case((Campaign.finished_at.is_not(None), 1), else_=0),
        "finished_at": None,
        "finished_version": None,
        "unfunded": Campaign.unfunded + sum(row.unfunded for row in rows),
        "told": func.greatest(0, Campaign.told - amount),
    }
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(values))


def steer(session: Session, campaign_id: UUID) -> None:
    """
    One at a time may pause, resume, retry, cancel or reprioritise a campaign.

    Not by its row: workers lock that after their jobs, and whoever steers locks jobs, too.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(campaign_id), 0))))


def _adding(to: JobStatus) -> ReturningUpdate[Any]:
    """The statement for jobs that move there; built once."""

    def more(name: str) -> BindParameter[int]:
        return bindparam(f"more_{name}", type_=BigInteger)

    values: dict[str, ColumnElement[Any]] = {
        "in_review": Campaign.in_review - more("reviewed"),
        "cost_micros": Campaign.cost_micros + more("cost"),
        "allotted_micros": case(
            (Campaign.budget_micros.is_not(None), Campaign.allotted_micros - more("freed")), else_=0
        ),
        "unfunded": Campaign.unfunded - more("unfunded"),
        "cached": Campaign.cached + more("cached"),
        "version": Campaign.version + 1,
    }
    values[to.value] = values.get(to.value, getattr(Campaign, to.value)) + more("jobs")
    its = Campaign.id == bindparam("its_id", type_=Uuid)
    if not to.final:
        silence: tuple[ColumnElement[Any], ...] = (false().label("due"), null().label("listeners"))
        return update(Campaign).where(its).values(values).returning(Campaign, *silence)
    ended = sum((getattr(Campaign, status.value) for status in FINAL), more("jobs"))
    values["finished_at"] = case((ended == Campaign.total, func.now()))
    values["finished_version"] = case((ended == Campaign.total, Campaign.version + 1))
    due = _due(ended)
    values["told"] = case((due, ended), else_=Campaign.told)
    values["told_at"] = case((due, func.now()), else_=Campaign.told_at)
    return update(Campaign).where(its).values(values).returning(Campaign, *_ears())


def _due(ended: ColumnElement[int]) -> ColumnElement[bool]:
    """Time to tell how far it is: seldom, and then by a step worth telling."""
    rested = Campaign.told_at <= func.now() - timedelta(seconds=PROGRESS_SECONDS)
    return and_(
        ended < Campaign.total,
        (ended - Campaign.told) * 100 >= Campaign.total * PROGRESS_PERCENT,
        or_(Campaign.told_at.is_(None), rested),
    )


def _ears() -> tuple[ColumnElement[Any], ...]:
    """Whether it was, of this very count and not of one before it in the transaction; and whom."""
    ended = sum(
        (getattr(Campaign, status.value) for status in FINAL[1:]), getattr(Campaign, FINAL[0].value)
    )
    told = and_(Campaign.told_at == func.now(), Campaign.told == ended)
    finished = Campaign.finished_at.is_not(None)
    completed, progress = EventType.CAMPAIGN_COMPLETED, EventType.CAMPAIGN_PROGRESS
    kind = case((finished, completed.value), else_=progress.value)
    whom = case((or_(finished, told), listeners(Campaign.tenant_id, kind)))
    return func.coalesce(told, false()).label("due"), whom.label("listeners")


_ADD = {to: _adding(to) for to in (*FINAL, JobStatus.IN_REVIEW)}
