"""Tenants, and what holds for each: quotas, and how long what is theirs is kept."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from app.db import audit
from app.db.models import ApiKey, Tenant
from app.domain.rotation import Signing
from app.errors import NotFound


def named(session: Session, name: str) -> Tenant:
    """The tenant of that name. Raises `NotFound`."""
    tenant = session.scalars(select(Tenant).where(Tenant.name == name)).one_or_none()
    if tenant is None:
        raise NotFound(f"There is no tenant {name!r}; `impasto tenants list` shows them.")
    return tenant


def listing(session: Session) -> Sequence[Row[Any]]:
    """Every tenant with its number of `keys`, oldest first."""
    opening = ApiKey.revoked_at.is_(None)
    keys = select(func.count()).where(ApiKey.tenant_id == Tenant.id, opening).scalar_subquery()
    rows: Sequence[Row[Any]] = session.execute(
        select(Tenant, keys.label("keys")).order_by(Tenant.id)
    ).all()
    return rows


def set_quotas(session: Session, tenant: Tenant, quotas: Mapping[str, int], *, by: str) -> None:
    """A tenant's own numbers, by policy; it has everybody's where it has none."""
    tenant.quotas = dict(quotas)
    _changed(session, tenant, "quota", tenant.quotas, by)


def set_retention(session: Session, tenant: Tenant, days: Mapping[str, int], *, by: str) -> None:
    """How many days what is kept; what is not named is kept for good."""
    tenant.retention = dict(days)
    tenant.retained_at = None
    _changed(session, tenant, "retention", tenant.retention, by)


def rotate_webhook_secret(session: Session, tenant_id: UUID, *, overlap: timedelta) -> Tenant:
    """
    A new secret for its own webhooks; the old one signs beside it for `overlap`.

    Raises `RotatedTooOften` while too many old ones still sign.
    """
    tenant = session.get_one(Tenant, tenant_id, with_for_update=True)
    now = datetime.now(UTC)
    live = Signing.of(tenant.webhook_generation, tenant.webhook_retired, now=now)
    tenant.webhook_retired = live.retired(now=now, overlap=overlap)
    tenant.webhook_generation += 1
    session.flush()
    return tenant


def get(session: Session, tenant_id: UUID) -> Tenant:
    """A tenant that is known to be there."""
    return session.get_one(Tenant, tenant_id)


def _changed(session: Session, tenant: Tenant, what: str, new: dict[str, Any], by: str) -> None:
    session.flush()
    action, target = f"{what}.changed", f"tenant:{tenant.id}"
    audit.record(session, tenant.id, by=by, action=action, target=target, details=new)
