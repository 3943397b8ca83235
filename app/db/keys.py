"""API keys: made once, shown once, kept as digests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, func, or_, select, update
from sqlalchemy.orm import Session

from app.db import audit
from app.db.models import ApiKey, Tenant
from app.domain.scopes import EVERYTHING, USUAL, Scope
from app.errors import Conflict, NotFound, Unauthorized

PREFIX: Final = 8  #: characters of a key, behind `imp_`, that a person knows it by
OVERLAP: Final = 24 * 3600  #: seconds that a rotated key goes on opening
USED: Final = timedelta(seconds=60)  #: how exactly the last use is known


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once."""

    key: str  #: its only copy
    row: ApiKey


def create(
    session: Session,
    *,
    tenant: str,
    name: str,
    scopes: Iterable[Scope] = USUAL,
    days: int | None = None,
    by: str = audit.OPERATOR,
) -> str:
    """Make a key for `tenant` (which is made, too, if it is new); the answer is its only copy."""
    owner = session.scalars(select(Tenant).where(Tenant.name == tenant)).one_or_none()
    if owner is None:
        owner = Tenant(name=tenant)
        session.add(owner)
        session.flush()
    return add(session, owner.id, name=name, scopes=scopes, days=days, by=by).key


def add(
    session: Session,
    tenant_id: UUID,
    *,
    name: str,
    scopes: Iterable[Scope],
    days: int | None = None,
    by: str,
) -> NewKey:
    """One more key of a tenant; without `days` it opens until it is revoked."""
    new = _new(tenant_id, name, scopes)
    if days is not None:
        new.row.expires_at = _in(session, days * 86_400)
    session.add(new.row)
    session.flush()
    _tell(session, new.row, "created", by, {"scopes": new.row.scopes, "days": days})
    return new


def first_key(session: Session) -> str | None:
    """A key for a database that has none; None where somebody was here before."""
    session.execute(select(func.pg_advisory_xact_lock(7127042)))
    if session.scalars(select(ApiKey.id).limit(1)).first():
        return None
    return create(session, tenant="default", name="first", scopes=EVERYTHING)


def rotate(
    session: Session, tenant_id: UUID | None, prefix: str, *, overlap: int = OVERLAP, by: str
) -> NewKey:
    """
    A new key in the place of one that goes on opening for `overlap` seconds, no longer.

    Raises `NotFound`, or `Conflict` where the old one opens nothing any more.
    """
    old = _open(session, tenant_id, prefix)
    new = _new(old.tenant_id, old.name, map(Scope, old.scopes))
    new.row.expires_at = old.expires_at
    end = _in(session, overlap)
    old.expires_at = min(old.expires_at or end, end)
    session.add(new.row)
    session.flush()
    _tell(session, old, "rotated", by, {"overlap": overlap, "new": new.row.prefix})
    return new


def revoke(
    session: Session, prefix: str, tenant_id: UUID | None = None, *, by: str = audit.OPERATOR
) -> None:
    """End a key at once. Raises `NotFound`, or `Conflict` when it was ended before."""
    key = _open(session, tenant_id, prefix)
    key.revoked_at = session.scalar(select(func.now()))
    session.flush()
    _tell(session, key, "revoked", by, {})


def opened(session: Session, key: str) -> Row[Any]:
    """
    What a key opens: `tenant_id`, the tenant's `quotas`, `prefix`, `scopes`, and if it `idles`.

    One that idles has not been used for a while, as far as is written down. Raises
    `Unauthorized`, without saying what was wrong with the key.
    """
    idles = or_(ApiKey.used_at.is_(None), ApiKey.used_at < func.now() - USED)
    statement = (
        select(
            ApiKey.id,
            ApiKey.tenant_id,
            ApiKey.prefix,
            ApiKey.scopes,
            Tenant.quotas,
            idles.label("idles"),
        )
        .join(Tenant, Tenant.id == ApiKey.tenant_id)
        .where(ApiKey.digest == _digest(key), *_valid())
    )
    row: Row[Any] | None = session.execute(statement).one_or_none()
    if row is None:
        raise Unauthorized(
            "This API key is unknown, has expired or was revoked; `impasto keys create` makes one."
        )
    return row


def used(session: Session, key_id: UUID) -> None:
    """Write down that a key is in use; nothing where another process just did."""
    idle = or_(ApiKey.used_at.is_(None), ApiKey.used_at < func.now() - USED)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, idle).values(used_at=func.now()))


def listing(session: Session, tenant_id: UUID | None = None) -> Sequence[Row[Any]]:
    """Every key, or a tenant's, with its tenant's name and its `state`, oldest first."""
    state = case(
        (ApiKey.revoked_at.is_not(None), "revoked"),
        (ApiKey.expires_at <= func.now(), "expired"),
        else_="active",
    )
    statement: Any = select(ApiKey, Tenant.name.label("tenant"), state.label("state"))
    statement = statement.join(Tenant, Tenant.id == ApiKey.tenant_id).order_by(ApiKey.id)
    if tenant_id is not None:
        statement = statement.where(ApiKey.tenant_id == tenant_id)
    rows: Sequence[Row[Any]] = session.execute(statement).all()
    return rows


def _valid() -> tuple[ColumnElement[bool], ...]:
    lasts = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    return ApiKey.revoked_at.is_(None), lasts


def _open(session: Session, tenant_id: UUID | None, prefix: str) -> ApiKey:
    """A key that opens something, locked; of any tenant's for those who ask for none."""
    wanted = [ApiKey.prefix == prefix]
    if tenant_id is not None:
        wanted.append(ApiKey.tenant_id == tenant_id)
    statement = select(ApiKey, *_valid()).where(*wanted).with_for_update()
    row = session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no key {prefix[:40]!r}; `impasto keys list` shows them.")
    key: ApiKey = row[0]
    if not (row[1] and row[2]):
        raise Conflict(f"Key {prefix} was revoked before, or has expired.")
    return key


def _new(tenant_id: UUID, name: str, scopes: Iterable[Scope]) -> NewKey:
    prefix, secret = token_urlsafe(PREFIX * 3 // 4), token_urlsafe(32)
    wanted = set(scopes)
    key = f"imp_{prefix}_{secret}"
    row = ApiKey(
        tenant_id=tenant_id,
        name=name,
        prefix=prefix,
        digest=_digest(key),
        scopes=[scope.value for scope in Scope if scope in wanted],
    )
    return NewKey(key, row)


def _in(session: Session, seconds: int) -> datetime:
    return session.scalars(select(func.now() + timedelta(seconds=seconds))).one()


def _tell(session: Session, key: ApiKey, deed: str, by: str, details: dict[str, Any]) -> None:
    target = f"key:{key.prefix}"
    audit.record(
        session, key.tenant_id, by=by, action=f"key.{deed}", target=target, details=details
    )


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()
