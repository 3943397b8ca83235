"""API keys: made once, shown once, kept as digests."""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.models import ApiKey, Tenant
from app.errors import Conflict, NotFound, Unauthorized

PREFIX: Final = 8  #: characters of a key, behind `imp_`, that a person knows it by


def create(session: Session, *, tenant: str, name: str) -> str:
    """Make a key for `tenant` (which is made, too, if it is new); the answer is its only copy."""
    owner = session.scalars(select(Tenant).where(Tenant.name == tenant)).one_or_none()
    if owner is None:
        owner = Tenant(name=tenant)
        session.add(owner)
        session.flush()
    prefix, secret = token_urlsafe(PREFIX * 3 // 4), token_urlsafe(32)
    key = f"imp_{prefix}_{secret}"
    session.add(ApiKey(tenant_id=owner.id, name=name, prefix=prefix, digest=_digest(key)))
    return key


def first_key(session: Session) -> str | None:
    """A key for a database that has none; None where somebody was here before."""
    session.execute(select(func.pg_advisory_xact_lock(7127042)))
    if session.scalars(select(ApiKey.id).limit(1)).first():
        return None
    return create(session, tenant="default", name="first")


def tenant_of(session: Session, key: str) -> UUID:
    """Whose key this is. Raises `Unauthorized`, without saying what was wrong with it."""
    statement = select(ApiKey.tenant_id).where(
        ApiKey.digest == _digest(key), ApiKey.revoked_at.is_(None)
    )
    tenant_id = session.scalars(statement).one_or_none()
    if tenant_id is None:
        raise Unauthorized(
            "This API key is unknown or was revoked; `impasto keys create` makes one."
        )
    return tenant_id


def listing(session: Session) -> list[tuple[ApiKey, str]]:
    """Every key with its tenant's name, oldest first."""
    statement = select(ApiKey, Tenant.name).join(Tenant, Tenant.id == ApiKey.tenant_id)
    return [(key, name) for key, name in session.execute(statement.order_by(ApiKey.id))]


def revoke(session: Session, prefix: str) -> None:
    """End a key at once. Raises `NotFound`, or `Conflict` when it was ended before."""
    key = session.scalars(select(ApiKey).where(ApiKey.prefix == prefix)).one_or_none()
    if key is None:
        raise NotFound(f"No key starts with imp_{prefix}; `impasto keys list` shows them.")
    if key.revoked_at is not None:
        raise Conflict(f"Key imp_{prefix} was revoked before.")
    session.execute(update(ApiKey).where(ApiKey.id == key.id).values(revoked_at=func.now()))


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()
