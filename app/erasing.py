"""Forgetting, in small batches: bytes first, then the rows that tell they are gone."""

from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.db import Sessions, erasures, manifests, retention
from app.domain.retention import Retention
from app.storage import Storage, asset_key, manifest_key

SECONDS: Final = 2.0  #: that one sweep gives to it


def erase(sessions: Sessions, storage: Storage, *, seconds: float = SECONDS) -> int:
    """
    Carry out wishes for so long, oldest first; answers with the number of batches.

    Each batch is a transaction that deletes the bytes before it commits. Whoever is killed in
    between has forgotten bytes that nobody knows of: the next one does the batch again, and
    deleting what is gone is a success. Two never work on one wish.
    """
    return _repeat(sessions, storage, seconds, _carry_out)


def retain(sessions: Sessions, storage: Storage, *, seconds: float = SECONDS) -> int:
    """The same for what was kept as long as its tenant wants; each tenant once an hour."""
    return _repeat(sessions, storage, seconds, _expire)


def clean(sessions: Sessions, storage: Storage, *, seconds: float = SECONDS) -> int:
    """The same for manifests that were uploaded, and can be used no longer."""
    return _repeat(sessions, storage, seconds, _unlist)


def forget_unneeded(
    session: Session, storage: Storage, tenant_id: UUID, digests: Iterable[str]
) -> list[Row[Any]]:
    """Those of these pictures that nobody needs go; answers with `digest` and `bytes` of each."""
    unneeded = erasures.unneeded(session, tenant_id, digests)
    _forget(session, storage, tenant_id, unneeded)
    return unneeded


def _repeat(sessions: Sessions, storage: Storage, seconds: float, step: Any) -> int:
    over, steps = monotonic() + seconds, 0
    while True:
        with sessions.begin() as session:
            if not step(session, storage):
                return steps
        steps += 1
        if monotonic() > over:
            return steps


def _carry_out(session: Session, storage: Storage) -> bool:
    """One batch of the oldest wish, whether there was one."""
    wish = erasures.take(session)
    if wish is None:
        return False
    if withdrawn := erasures.withdraw(session, wish):
        wish.canceled += withdrawn
    elif rows := erasures.ended(session, wish):
        erasures.blank(session, wish.tenant_id, [row.id for row in rows])
        digests = erasures.pictures_of(wish, rows)
        pictures = forget_unneeded(session, storage, wish.tenant_id, digests)
        erasures.note(session, wish, pictures, len(rows))
    elif left := erasures.remaining(session, wish):
        _forget(session, storage, wish.tenant_id, left)
        erasures.note(session, wish, left, 0)
    else:
        lists = erasures.manifests(session, wish)
        storage.delete(*(manifest_key(wish.tenant_id, digest) for digest in lists))
        erasures.finish(session, wish)
    return True


def _expire(session: Session, storage: Storage) -> bool:
    """One batch of a tenant whose hour has come, whether there was one."""
    tenant = retention.take(session)
    if tenant is None:
        return False
    wanted = Retention.model_validate(tenant.retention)
    if due := retention.pictures(session, tenant.id, wanted):
        _forget(session, storage, tenant.id, due)
    elif not retention.rows(session, tenant.id, wanted):
        retention.done(session, tenant)
    return True


def _unlist(session: Session, storage: Storage) -> bool:
    """One batch of manifests whose time is over, whether there was one."""
    due = manifests.over(session)
    forgotten = manifests.forgettable(session, due) if due else []
    storage.delete(*(manifest_key(row.tenant_id, row.sha256) for row in forgotten))
    return bool(due)


def _forget(
    session: Session, storage: Storage, tenant_id: UUID, pictures: Sequence[Row[Any]]
) -> None:
    if not pictures:
        return
    digests = [row.digest for row in pictures]
    storage.delete(*(asset_key(tenant_id, digest) for digest in digests))
    erasures.gone(session, tenant_id, digests)
