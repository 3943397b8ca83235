"""The audit log: who did what, one line a deed, each line bound to the one before it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.models import AuditHead, AuditLine

HOUSE: Final = UUID(int=0)  #: the chain of what is no tenant's: styles of everybody's
START: Final = "0" * 64  #: what the first line of a chain is bound to
SYSTEM: Final = "system"  #: who does what nobody asked for at that moment
OPERATOR: Final = "operator"  #: who has the database's password


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that was walked: its last line and, if it is broken, where and how."""

    id: UUID
    sequence: int
    hash: str
    flaw: str | None = None


_HEAD = text("""
INSERT INTO audit_heads (chain, sequence, hash) VALUES (:chain, 0, :start)
ON CONFLICT (chain) DO UPDATE SET sequence = audit_heads.sequence
RETURNING sequence, hash, clock_timestamp()
""")

_APPEND = text("""
WITH head AS (
    UPDATE audit_heads SET sequence = :sequence, hash = :hash WHERE chain = :chain
)
INSERT INTO audit_log
    (chain, sequence, at, by, action, target, details, details_digest, previous, hash)
VALUES
    (:chain, :sequence, :at, :by, :action, :target, :details, :details_digest, :previous, :hash)
""")


def record(
    session: Session,
    tenant_id: UUID | None,
    *,
    by: str,
    action: str,
    target: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """
    Append one line, in the transaction of what it tells of; the last thing that one does.

    From here to the commit, others who write to the same chain wait. `by` is `OPERATOR`,
    `SYSTEM` or `key:PREFIX`; `action` is `thing.past` (`style.activated`). `details` are plain
    JSON and nothing personal: what stands here can never be erased.
    """
    chain = tenant_id or HOUSE
    sequence, previous, at = session.execute(_HEAD, {"chain": str(chain), "start": START}).one()
    words = json.dumps(details or {}, ensure_ascii=True, allow_nan=False, sort_keys=True)
    line = AuditLine(
        chain=chain,
        sequence=sequence + 1,
        at=at.astimezone(UTC),
        by=by[:255],
        action=action,
        target=target[:255],
        details=words,
        details_digest=_sha256(words),
        previous=previous,
    )
    values = {column.name: getattr(line, column.name) for column in AuditLine.__table__.columns}
    session.execute(_APPEND, values | {"chain": str(chain), "hash": digest(line)})


def actor(prefix: str | None) -> str:
    """Who came in with the key of that prefix; without one, whoever has the database."""
    return OPERATOR if prefix is None else f"key:{prefix}"


def digest(line: AuditLine) -> str:
    """What binds a line: SHA-256 over all of it, and over the hash of the line before."""
    parts = (
        line.previous,
        str(line.chain),
        line.sequence,
        line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        *(line.by, line.action, line.target, line.details_digest),
    )
    return _sha256(json.dumps(parts, ensure_ascii=True))


def verify(session: Session, tenant_id: UUID | None = None) -> Iterator[Chain]:
    """
    Walk every chain, or a tenant's, in memory that does not grow with them.

    Tells of each where it ends and its first flaw. What it sees is one moment of the database.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    heads = select(AuditHead).order_by(AuditHead.chain)
    chains = select(AuditLine.chain).distinct()
    if tenant_id is not None:
        heads = heads.where(AuditHead.chain == tenant_id)
        chains = chains.where(AuditLine.chain == tenant_id)
    known = {head.chain: head for head in session.scalars(heads)}
    for chain in sorted({*known, *session.scalars(chains)}):
        yield _walk(session, chain, known.get(chain))


def lines(
    session: Session, tenant_id: UUID, *, before: int | None, limit: int
) -> Sequence[AuditLine]:
    """A tenant's lines, newest first."""
    statement = select(AuditLine).where(AuditLine.chain == tenant_id)
    if before is not None:
        statement = statement.where(AuditLine.sequence < before)
    return session.scalars(statement.order_by(AuditLine.sequence.desc()).limit(limit)).all()


def latest(session: Session, *, limit: int) -> Sequence[AuditLine]:
    """The newest lines of all chains, newest first."""
    newest = select(AuditLine).order_by(AuditLine.at.desc(), AuditLine.sequence.desc())
    return session.scalars(newest.limit(limit)).all()


def has(session: Session, hash: str) -> bool:
    """Whether a line of that hash is in the log."""
    return session.scalar(select(AuditLine.sequence).where(AuditLine.hash == hash)) is not None


def _walk(session: Session, chain: UUID, head: AuditHead | None) -> Chain:
    statement = select(AuditLine).where(AuditLine.chain == chain).order_by(AuditLine.sequence)
    sequence, previous = 0, START
    for line in session.scalars(statement.execution_options(yield_per=1_000)):
        flaw = _flaw(line, sequence + 1, previous)
        if flaw is not None:
            return Chain(chain, sequence, previous, f"line {sequence + 1}: {flaw}")
        sequence, previous = line.sequence, line.hash
        session.expunge(line)
    flaw = None
    if head is None or (head.sequence, head.hash) != (sequence, previous):
        flaw = f"line {sequence + 1}: missing at the end, or the end was exchanged"
    return Chain(chain, sequence, previous, flaw)


def _flaw(line: AuditLine, sequence: int, previous: str) -> str | None:
    if line.sequence != sequence:
        return f"missing; the next is {line.sequence}"
    if line.details_digest != _sha256(line.details):
        return "its details were changed"
    if line.previous != previous:
        return "it is not bound to the line before"
    if line.hash != digest(line):
        return "it was changed"
    return None


def _sha256(words: str) -> str:
    return sha256(words.encode()).hexdigest()


def at_of(moment: datetime) -> str:
    """A moment as people read it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
