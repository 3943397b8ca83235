"""Which tags a tenant's work may carry."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import TagRule, Tenant
from app.domain.tags import TagRules
from app.errors import NotFound


def rules(session: Session, tenant_id: UUID) -> TagRules:
    """What the tenant has agreed on."""
    rows = session.scalars(select(TagRule).where(TagRule.tenant_id == tenant_id)).all()
    return TagRules(
        words={row.key: None if row.words is None else frozenset(row.words) for row in rows},
        required=frozenset(row.key for row in rows if row.required),
    )


def allow(
    session: Session, tenant: str, key: str, words: Sequence[str] | None, *, required: bool
) -> None:
    """Let a key be used, with these values or with any. Raises `NotFound`."""
    its: dict[str, Any] = {"words": None if words is None else sorted(words), "required": required}
    row = {"tenant_id": _tenant(session, tenant), "key": key, **its}
    session.execute(
        insert(TagRule)
        .values(row)
        .on_conflict_do_update(index_elements=["tenant_id", "key"], set_=its)
    )


def forbid(session: Session, tenant: str, key: str) -> None:
    """Take a key out; the last one gone, any may be used again. Raises `NotFound`."""
    mine = (TagRule.tenant_id == _tenant(session, tenant), TagRule.key == key)
    if not session.scalars(delete(TagRule).where(*mine).returning(TagRule.key)).all():
        raise NotFound(f"Tenant {tenant!r} has no tag {key!r}.")


def listing(session: Session, tenant: str) -> Sequence[TagRule]:
    """A tenant's rules by key. Raises `NotFound`."""
    mine = TagRule.tenant_id == _tenant(session, tenant)
    return session.scalars(select(TagRule).where(mine).order_by(TagRule.key)).all()


def _tenant(session: Session, name: str) -> UUID:
    found = session.scalars(select(Tenant.id).where(Tenant.name == name)).one_or_none()
    if found is None:
        raise NotFound(f"There is no tenant {name!r}.")
    return found
