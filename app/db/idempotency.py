"""Repeated requests: recognised by their key, answered from what the first one left."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import KeptAnswer
from app.errors import IdempotencyInFlight, IdempotencyKeyReused

KEPT: Final = timedelta(hours=24)  #: published; a key that is older may be used anew
BATCH: Final = 1_000  #: old answers that one sweep removes


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it is given again."""

    status: int
    headers: dict[str, str]
    body: bytes


def find(session: Session, tenant_id: UUID, key: str, fingerprint: str) -> Answer | None:
    """
    The answer to the first request under this key; None: this is the first, and it is ours.

    It stays ours until the transaction ends. Raises `IdempotencyInFlight` while another request
    has the key, and `IdempotencyKeyReused` where it asked for something else.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_place(tenant_id, key)))):
        raise IdempotencyInFlight(
            "A request with this Idempotency-Key is under way; ask again in a second."
        )
    mine = (KeptAnswer.tenant_id == tenant_id, KeptAnswer.key == key)
    young = KeptAnswer.created_at > func.now() - KEPT
    kept = session.scalars(select(KeptAnswer).where(*mine, young)).one_or_none()
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came with another request within the last 24 hours; "
            "a new request needs a new key."
        )
    return Answer(kept.status, kept.headers, kept.body)


def keep(session: Session, tenant_id: UUID, key: str, fingerprint: str, answer: Answer) -> None:
    """Remember what the first request under this key brought, in place of what is too old."""
    values = {
        "fingerprint": fingerprint,
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "created_at": func.now(),
    }
    statement = insert(KeptAnswer).values(tenant_id=tenant_id, key=key, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "key"], set_=values)
    )


def forget(session: Session) -> int:
    """Remove what nobody can ask for again, a batch at a time; answers with how many."""
    columns = (KeptAnswer.tenant_id, KeptAnswer.key)
    old = select(*columns).where(KeptAnswer.created_at < func.now() - KEPT)
    some = old.limit(BATCH).with_for_update(skip_locked=True)
    statement = delete(KeptAnswer).where(tuple_(*columns).in_(some)).returning(KeptAnswer.key)
    return len(session.scalars(statement).all())


def _place(tenant_id: UUID, key: str) -> int:
    """Where Postgres keeps the lock of a key: 63 bits, so that two keys hardly ever share one."""
    return int.from_bytes(sha256(f"{tenant_id}\n{key}".encode()).digest()[:8]) >> 1
