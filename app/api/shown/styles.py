"""Styles as callers see them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.api import schemas
from app.api.shown.parts import error_of, url_of
from app.domain.job import JobStatus
from app.domain.style import plain
from app.settings import Settings

SOON = timedelta(days=30)


def style_shown(settings: Settings, tenant_id: UUID, row: Row[Any]) -> schemas.Style:
    """A row of `styles.listing` as callers see it."""
    name = plain(row.slug)
    ended_badly = row.job_status in (JobStatus.FAILED, JobStatus.CANCELED)
    return schemas.Style(
        name=name,
        title=row.title,
        version=row.version,
        pinned=f"{name}@{row.version}",
        status=row.job_status.value if ended_badly else row.status.value,
        own=row.tenant_id is not None,
        stylizer=f"{row.stylizer_name}-{row.stylizer_version}",
        card=card_shown(row.card),
        valid_until=row.valid_until,
        expires_in_days=_days_left(row),
        warnings=_warnings(row),
        preview_url=_preview_url(settings, tenant_id, row),
        job=f"/v1/jobs/{row.job_id}" if row.job_id else None,
        error=error_of(row),
    )


def card_shown(card: dict[str, Any]) -> dict[str, Any]:
    """Who else has a licence is not the caller's to know."""
    if "tenants" not in card.get("licence", {}):
        return card
    licence = {word: value for word, value in card["licence"].items() if word != "tenants"}
    return card | {"licence": licence}


def _days_left(row: Row[Any]) -> int | None:
    """Whole days until the licence ends; 0 on its last day and after it."""
    if row.valid_until is None:
        return None
    left: timedelta = row.valid_until - row.now
    return max(0, left.days)


def _warnings(row: Row[Any]) -> list[str]:
    """What whoever plans with a style should know now."""
    said = []
    if row.withdrawn_at is not None:
        said.append("Withdrawn: its pictures are not delivered any more.")
    elif row.suspended_at is not None:
        said.append("Suspended: nothing new, and its pictures are not delivered.")
    if row.valid_until is not None and row.valid_until <= row.now:
        said.append("Its licence has ended: its pictures are not delivered any more.")
    elif row.valid_until is not None and row.valid_until - row.now <= SOON:
        said.append(f"Its licence ends in {_days_left(row)} days.")
    return said


def _preview_url(settings: Settings, tenant_id: UUID, row: Row[Any]) -> str | None:
    """A tenant's own is an asset of its; everybody's lies in the catalog."""
    if row.preview_digest:
        ends_at = row.valid_until if row.suspended_at is None else row.suspended_at
        return url_of(settings, tenant_id, row.preview_digest, ends_at, row.now)
    return f"/v1/styles/{row.slug}/preview" if row.card.get("preview") else None
