"""What happened, for those who asked: events and deliveries, written with what they tell of."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert
from sqlalchemy.orm import Session

from app.db.models import Campaign, Delivery, EventRow, StyleVersion
from app.domain.events import JOB_EVENTS, EventType
from app.domain.ids import new_id
from app.domain.job import JobStatus
from app.domain.style import plain


def record(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> None:
    """An event for each moved job whose webhook wants this kind; most moves write nothing."""
    kind = JOB_EVENTS.get(to)
    wanted = [row for row in rows if row.webhook and kind in row.webhook["events"]]
    if kind is None or not wanted:
        return
    _write(session, [(_of_job(kind, row), row.webhook["url"]) for row in wanted])


def record_completed(session: Session, campaign: Campaign) -> None:
    """The one `campaign.completed`, in the transaction of the last job that ended."""
    if not campaign.webhook or EventType.CAMPAIGN_COMPLETED not in campaign.webhook["events"]:
        return
    counts = {
        word: getattr(campaign, word) for word in ("total", "succeeded", "failed", "canceled")
    }
    event = {
        "id": new_id(),
        "tenant_id": campaign.tenant_id,
        "type": EventType.CAMPAIGN_COMPLETED,
        "job_id": None,
        "campaign_id": campaign.id,
        "sequence": campaign.version,
        "data": {
            "campaign_id": str(campaign.id),
            "name": campaign.name,
            "counts": counts,
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


def _of_job(kind: EventType, row: Row[Any]) -> dict[str, Any]:
    facts = {
        "job_id": str(row.id),
        "campaign_id": _text(row.campaign_id),
        "custom_id": row.custom_id,
        "status": row.status.value,
        "attempt": row.attempt,
        "asset_id": row.output_digest,
        "cost_micros": row.cost_micros,
        "error_code": row.error_code,
    }
    return {
        "id": new_id(),
        "tenant_id": row.tenant_id,
        "type": kind,
        "job_id": row.id,
        "campaign_id": row.campaign_id,
        "sequence": 2 * row.attempt + row.status.final,  # started, ended, started again ...
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
