"""What happened, for those who asked: events and deliveries, written with what they tell of."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert
from sqlalchemy.orm import Session

from app.db.models import Campaign, Delivery, EventRow, StyleVersion
from app.domain.events import JOB_EVENTS, EventType
from app.domain.ids import new_id
from app.domain.job import FINAL, JobStatus
from app.domain.style import plain


def record(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> None:
    """The events of each moved job that its webhook wants; most moves write nothing."""
    wanted = [
        (_of_job(kind, row, last=kind is JOB_EVENTS.get(to)), row.webhook["url"])
        for row in rows
        if row.webhook
        for kind in _kinds(to, row)
        if kind in row.webhook["events"]
    ]
    if wanted:
        _write(session, wanted)


def _kinds(to: JobStatus, row: Row[Any]) -> list[EventType]:
    """What a move means: of a reviewer's word that it was said, and what came of it."""
    said = [EventType.JOB_REVIEWED] if row.verdict is not None else []
    return [*said, JOB_EVENTS[to]] if to in JOB_EVENTS else []


def record_budget(session: Session, campaign: Campaign) -> None:
    """The one `campaign.budget`: 80 % are spent, or what is left pays for nothing more."""
    facts = {"budget_micros": campaign.budget_micros, "unpaid": campaign.unfunded}
    _record_campaign(session, EventType.CAMPAIGN_BUDGET, campaign, facts)


def record_completed(session: Session, campaign: Campaign) -> None:
    """The one `campaign.completed` of a round, in the transaction of the last job that ended."""
    words = ("total", *(status.value for status in FINAL))
    counts = {word: getattr(campaign, word) for word in words}
    _record_campaign(session, EventType.CAMPAIGN_COMPLETED, campaign, {"counts": counts})


def _record_campaign(
    session: Session, kind: EventType, campaign: Campaign, facts: dict[str, Any]
) -> None:
    if not campaign.webhook or kind not in campaign.webhook["events"]:
        return
    event = {
        "id": new_id(),
        "tenant_id": campaign.tenant_id,
        "type": kind,
        "job_id": None,
        "campaign_id": campaign.id,
        "sequence": campaign.version,
        "round": campaign.round,
        "data": {
            "campaign_id": str(campaign.id),
            "name": campaign.name,
            **facts,
            "cost_micros": campaign.cost_micros,
        },
    }
    _write(session, [(event, campaign.webhook["url"])])


def record_licence_expiring(
    session: Session, tenant_id: UUID, version: StyleVersion, days: int
) -> None:
    """
    A `style.licence_expiring`, for whoever listens to all of a tenant's events.

    It belongs to no job and no campaign, so that nobody gave an address with it.
    """
    name = plain(version.slug)
    event = {
        "id": new_id(),
        "tenant_id": tenant_id,
        "type": EventType.STYLE_LICENCE_EXPIRING,
        "job_id": None,
        "campaign_id": None,
        "sequence": -days,  # grows as the end comes nearer
        "data": {
            "style": name,
            "version": version.version,
            "pinned": f"{name}@{version.version}",
            "valid_until": version.valid_until and version.valid_until.isoformat(),
            "days": days,
        },
    }
    session.execute(insert(EventRow), [event])


def written(session: Session) -> bool:
    """Whether this transaction wrote deliveries, so that somebody should be woken after it."""
    return bool(session.info.get("deliveries"))


def _of_job(kind: EventType, row: Row[Any], *, last: bool) -> dict[str, Any]:
    """`last`: nothing else is told of this move."""
    shown = row.status is JobStatus.SUCCEEDED  # what is not approved is not named
    facts = {
        "job_id": str(row.id),
        "campaign_id": _text(row.campaign_id),
        "custom_id": row.custom_id,
        "status": row.status.value,
        "attempt": row.attempt,
        "asset_id": row.output_digest if shown else None,
        "cost_micros": row.cost_micros,
        "error_code": row.error_code,
        "warnings": row.warnings or None,
        "review": row.verdict,
    }
    return {
        "id": new_id(),
        "tenant_id": row.tenant_id,
        "type": kind,
        "job_id": row.id,
        "campaign_id": row.campaign_id,
        "sequence": 2 * row.version + last,
        "round": row.round,
        "data": {key: value for key, value in facts.items() if value is not None},
    }


def _write(session: Session, addressed: list[tuple[dict[str, Any], str]]) -> None:
    session.info["deliveries"] = True
    session.execute(insert(EventRow), [event for event, _ in addressed])
    session.execute(
        insert(Delivery),
        [{"id": new_id(), "event_id": event["id"], "url": url} for event, url in addressed],
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
