"""
Files that no row knows: an attempt that died between storing and committing left them.

Before such a file goes, its picture is written down as erased. Whoever brings the same bytes in
that moment finds this when it commits, and stores them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Uuid, func, or_, select, text
from sqlalchemy.orm import Session

from app.db.models import StorePass


@dataclass(frozen=True, slots=True)
class File:
    """A picture in the store, as far as its key and the store tell."""

    tenant_id: UUID
    digest: str
    bytes: int


def begin(session: Session, *, every: float) -> str | None:
    """
    The key behind which to go on, if a pass is under way or due `every` seconds after the last.

    None where there is nothing to do, or somebody else is at it in this moment.
    """
    rested = StorePass.ended_at < func.now() - timedelta(seconds=every)
    due = select(StorePass).where(or_(StorePass.ended_at.is_(None), rested))
    its = session.scalars(due.with_for_update(skip_locked=True)).one_or_none()
    if its is None:
        return None
    if its.ended_at is not None:
        its.after, its.seen, its.orphans = "", 0, 0
        its.began_at, its.ended_at = func.now(), None
    return its.after


def advance(session: Session, seen: int, orphans: int, *, after: str, to: str | None) -> bool:
    """
    Note that all up to the key `to` was looked at; None: there is nothing behind.

    False where somebody else has come further meanwhile.
    """
    mine = select(StorePass).where(StorePass.after == after, StorePass.ended_at.is_(None))
    its = session.scalars(mine.with_for_update(skip_locked=True)).one_or_none()
    if its is None:
        return False
    its.seen += seen
    its.orphans += orphans
    if to is None:
        its.ended_at = func.now()
    else:
        its.after = to
    return True


def unknown(session: Session, files: Sequence[File]) -> list[File]:
    """
    Those of these files that nothing leads to: no picture that is there, no promise of an upload.

    Those of tenants that are not ours are left out: another system may share the store.
    """
    if not files:
        return []
    rows = session.execute(_UNKNOWN, {"files": to_json(files).decode()})
    return [File(row.tenant_id, row.digest, row.bytes) for row in rows]


def write_off(session: Session, files: Sequence[File]) -> None:
    """Write these down as erased, but for those that somebody has written meanwhile."""
    if files:
        session.execute(_WRITE_OFF, {"files": to_json(files).decode()})


def lock(session: Session, files: Sequence[File]) -> list[File]:
    """Those that are still written off, locked until their bytes are gone."""
    if not files:
        return []
    rows = session.execute(_LOCK, {"files": to_json(files).decode()})
    return [File(row.tenant_id, row.digest, row.bytes) for row in rows]


_FILES: Final = """
json_to_recordset(CAST(:files AS json)) AS file (tenant_id uuid, digest text, bytes bigint)
"""

_PROMISED: Final = """
EXISTS (SELECT FROM uploads WHERE uploads.tenant_id = file.tenant_id
    AND sha256 = file.digest AND expires_at > now())
"""

_UNKNOWN = text(f"""
SELECT file.tenant_id, file.digest, file.bytes FROM {_FILES}
JOIN tenants ON tenants.id = file.tenant_id
LEFT JOIN assets ON assets.tenant_id = file.tenant_id AND assets.digest = file.digest
    AND erased_at IS NULL
WHERE assets.digest IS NULL AND NOT {_PROMISED}
""").columns(tenant_id=Uuid)  # noqa: S608 - all of it is ours

_WRITE_OFF = text(f"""
INSERT INTO assets (tenant_id, digest, kind, media_type, bytes, width, height, erased_at)
SELECT tenant_id, digest, 'output', 'application/octet-stream', greatest(bytes, 1), 1, 1, now()
FROM {_FILES} ORDER BY tenant_id, digest
ON CONFLICT DO NOTHING
""")  # noqa: S608 - all of it is ours

_LOCK = text(f"""
SELECT file.tenant_id, file.digest, file.bytes FROM {_FILES}
JOIN assets ON assets.tenant_id = file.tenant_id AND assets.digest = file.digest
WHERE erased_at IS NOT NULL AND NOT {_PROMISED}
ORDER BY file.tenant_id, file.digest FOR UPDATE OF assets
""").columns(tenant_id=Uuid)  # noqa: S608 - all of it is ours
