"""How a job's status changes: the only way, with everything that must follow from it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    Select,
    String,
    Text,
    bindparam,
    case,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from app.db import budgets, campaigns, counted, events, ledger
from app.db.ledger import Bill
from app.db.models import Campaign, Job, JobHistory
from app.domain.events import JOB_EVENTS, VERDICTS, EventType
from app.domain.job import JobStatus, sources
from app.errors import BudgetExceeded

#: What every move tells about the jobs it moved.
MOVED: Final = (
    Job.id,
    Job.tenant_id,
    Job.campaign_id,
    Job.custom_id,
    Job.status,
    Job.attempt,
    Job.round,
    Job.version,
    Job.output_digest,
    Job.webhook,
    Job.cost_micros,
    Job.error_code,
    Job.reserved_micros,
    Job.unfunded,
    Job.warnings,
    Job.verdict,
    Job.rendered_by,
    Job.lane,
    Job.pixels,
    Job.created_at,
)
#: And of those that still have to be done: what it takes to do them.
TO_DO: Final = (
    Job.source,
    Job.content_digest,
    Job.style_version_id,
    Job.parameters,
    Job.usage,
    Job.render_key,
    Job.cache_key,
    Job.failures,
    Job.crashes,
    Job.review,
)
#: What only those who listen are told: read where somebody does.
TOLD: Final = (Job.metadata_.label("metadata"), Job.error_detail.label("error_detail"))

BY: Final = bindparam("by", type_=String)
NOTE: Final = bindparam("remark", type_=Text)


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
    return carry_out(session, to, moving(to, *where, **changes), by=by, note=note)


def moving(to: JobStatus, *where: ColumnElement[bool], **changes: Any) -> Select[Any]:
    """The statement of a move. Building one costs more than running it, so some are kept."""
    kind = JOB_EVENTS.get(to)
    moved = (
        update(Job)
        .where(Job.status.in_(sorted(sources(to))), *where)
        .values({"status": to, "version": Job.version + 1, **_consequences(to), **changes})
        .returning(*MOVED, *(TO_DO if to.open else ()), *(TOLD if kind else ()))
        .cte("moved")
    )
    wrote = (
        insert(JobHistory)
        .from_select(
            ["job_id", "status", "attempt", "worker", "note", "version"],
            select(moved.c.id, moved.c.status, moved.c.attempt, BY, NOTE, moved.c.version),
        )
        .cte("wrote")
    )
    return (_heard(to, kind, moved) if kind else select(moved)).add_cte(wrote)


def carry_out(
    session: Session,
    to: JobStatus,
    statement: Select[Any],
    *,
    by: str | None = None,
    note: str | None = None,
    bills: Mapping[UUID, Bill] | None = None,
    **given: Any,
) -> Sequence[Row[Any]]:
    """A kept statement of `moving`, and what follows; successes are charged for by `bills`."""
    rows = session.execute(statement, {"by": by, "remark": note, **given}).all()
    if rows:
        events.record(session, to, rows)
    if rows and (to.final or to is JobStatus.IN_REVIEW):
        ledger.close(session, [row for row in rows if row.verdict is None], bills or {})
        _count(session, to, rows)
    if rows and to.final:
        counted.note(session, to, rows)
    return rows


def _count(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> None:
    """Campaigns hear of it; a budget that is spent by then ends what it no longer pays for."""
    for row in campaigns.count(session, to, rows):
        campaign: Campaign = row.Campaign
        finished = campaign.finished_at is not None  # what the budget ends is told by itself
        settle_budget(session, campaign)
        if finished:
            events.record_counts(session, EventType.CAMPAIGN_COMPLETED, campaign, row.listeners)
        elif row.due and campaign.finished_at is None:
            events.record_counts(session, EventType.CAMPAIGN_PROGRESS, campaign, row.listeners)


def settle_budget(session: Session, campaign: Campaign) -> None:
    """Let jobs in for which there is room by now, or end those for which there never will be."""
    if budgets.settle(session, campaign):
        move(
            session,
            JobStatus.FAILED,
            Job.id.in_(budgets.unpaid(campaign.id)),
            error_code=BudgetExceeded.code,
            error_detail=f"The budget of {campaign.budget_micros:,} millionths paid for others.",
        )


def settle_budgets(session: Session) -> None:
    """The same for every campaign whose budget jobs wait for: a worker may have skipped some."""
    waiting = select(Campaign).where(Campaign.unfunded > 0).order_by(Campaign.id)
    for campaign in session.scalars(waiting.with_for_update(skip_locked=True)).all():
        settle_budget(session, campaign)


def _heard(to: JobStatus, kind: EventType, moved: CTE) -> Select[Any]:
    """The moved jobs, who listens to it, and what only those are told."""
    tenant = select(moved.c.tenant_id).distinct().subquery("tenant")
    whose = tenant.c.tenant_id
    said = [EventType.JOB_REVIEWED] if to in VERDICTS else []
    listeners = (
        events.listeners(whose, literal(one.value)).label(name)
        for one, name in zip((kind, *said), events.EARS, strict=False)
    )
    # Asked once for each tenant; inlined, it would be asked again for each job and column.
    ears = select(whose, *listeners).cte("heard").prefix_with("MATERIALIZED")
    names = [column.name for column in TOLD]
    heard = [column for column in ears.c if column.name in events.EARS]
    anybody = or_(moved.c.webhook.is_not(None), *(func.cardinality(one) > 0 for one in heard))
    plain = [column for column in moved.c if column.name not in names]
    told = [case((anybody, moved.c[name])).label(name) for name in names]
    its = ears.c.tenant_id == moved.c.tenant_id
    return select(*plain, *told, *heard).join_from(moved, ears, its)


def _consequences(to: JobStatus) -> dict[str, Any]:
    """Columns that a status implies; the table's constraints hold us to them."""
    if to is JobStatus.RUNNING:
        return {}
    free = {"worker": null(), "lease_until": null(), "stage": null()}
    return {**free, "finished_at": func.now()} if to.final else free
