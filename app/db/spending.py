"""What was spent, read from the ledger: in groups, and entry by entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, and_, case, cast, func, select, text, tuple_
from sqlalchemy.orm import Session

from app.db.models import EntryKind, Job, KnownRateCard, LedgerEntry, StyleVersion, Tenant

PAGE = 1_000  #: entries of one transaction of an export: a slow reader holds none open


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on, and before `until`."""

    since: datetime
    until: datetime


def groups(
    session: Session, tenant_id: UUID, span: Span, by: str | None, *, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """
    Sums over a tenant's settled jobs, in the order of their keys, behind the key `after`.

    `by` is campaign, job, style, principal, day (UTC), status or `tag:KEY`; None: one sum of all.
    By status, jobs that ended without a cost count, too. An empty key is that of jobs without one.
    """
    ended = _of(tenant_id, span, *([EntryKind.RELEASE] if by == "status" else []))
    settled = LedgerEntry.kind == EntryKind.SETTLE
    key = (_key(by) + "/" + _currency).label("key")  # of each currency by itself
    jobs = func.count(LedgerEntry.job_id.distinct()) if by == "status" else func.count()
    statement = (
        select(
            key,
            func.max(_currency).label("currency"),
            jobs.label("jobs"),
            func.coalesce(func.sum(LedgerEntry.amount_micros).filter(settled), 0).label("micros"),
            *(
                func.coalesce(func.sum(getattr(LedgerEntry, name)), 0).label(name)
                for name in ("device_ms", "cpu_ms", "stored_bytes", "signatures")
            ),
        )
        .outerjoin(Job, Job.id == LedgerEntry.job_id)
        .outerjoin(StyleVersion, StyleVersion.id == Job.style_version_id)
        .outerjoin(KnownRateCard, KnownRateCard.name == LedgerEntry.rate_card)
        .where(*ended)
        .group_by(key)
        .order_by(key)
        .limit(limit)
    )
    if after is not None:
        statement = statement.having(key > after)
    return session.execute(statement).all()


def entries(session: Session, span: Span, tenant_id: UUID | None) -> Iterator[Row[Any]]:
    """
    Every settlement of a tenant, or of all, oldest first, with what it was for.

    Read in pages, each in a transaction of its own: memory stays, however long it gets.
    """
    last: tuple[datetime, int] | None = None
    while True:
        rows = _page(session, span, tenant_id, last)
        session.rollback()
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1].at, rows[-1].id


def idle(session: Session, span: Span) -> Sequence[Row[Any]]:
    """By day and device, milliseconds for which workers were up, and which somebody paid for."""
    return session.execute(_IDLE, {"since": span.since, "until": span.until}).all()


def _page(
    session: Session, span: Span, tenant_id: UUID | None, last: tuple[datetime, int] | None
) -> Sequence[Row[Any]]:
    place = tuple_(LedgerEntry.at, LedgerEntry.id)
    statement: Any = (
        select(
            LedgerEntry.id,
            LedgerEntry.at,
            LedgerEntry.job_id,
            LedgerEntry.campaign_id,
            LedgerEntry.rate_card,
            LedgerEntry.amount_micros,
            LedgerEntry.device_ms,
            LedgerEntry.cpu_ms,
            LedgerEntry.stored_bytes,
            LedgerEntry.signatures,
            Tenant.id.label("tenant_id"),
            Tenant.name.label("tenant"),
            Job.tags,
            Job.principal,
            StyleVersion.slug,
            StyleVersion.version.label("style_version"),
        )
        .join(Tenant, Tenant.id == LedgerEntry.tenant_id)
        .outerjoin(Job, Job.id == LedgerEntry.job_id)
        .outerjoin(StyleVersion, StyleVersion.id == Job.style_version_id)
        .where(*_of(tenant_id, span))
        .order_by(*place)
        .limit(PAGE)
    )
    if last is not None:
        statement = statement.where(place > last)
    rows: Sequence[Row[Any]] = session.execute(statement).all()
    return rows


def _of(tenant_id: UUID | None, span: Span, *also: EntryKind) -> tuple[ColumnElement[bool], ...]:
    when = and_(LedgerEntry.at >= span.since, LedgerEntry.at < span.until)
    kinds = LedgerEntry.kind.in_([EntryKind.SETTLE, *also])
    return (when, kinds) if tenant_id is None else (LedgerEntry.tenant_id == tenant_id, when, kinds)


_currency: Any = func.coalesce(KnownRateCard.currency, "")


def _key(by: str | None) -> Any:
    name, _, tag = (by or "").partition(":")
    pinned = StyleVersion.slug + "@" + cast(StyleVersion.version, String)
    keys: dict[str, Any] = {
        "": case((LedgerEntry.id.is_not(None), "")),
        "campaign": cast(LedgerEntry.campaign_id, String),
        "job": cast(LedgerEntry.job_id, String),
        "style": pinned,
        "principal": Job.principal,
        "status": cast(Job.status, String),
        "day": func.to_char(func.timezone("UTC", LedgerEntry.at), "YYYY-MM-DD"),
        "tag": Job.tags[tag].astext,
    }
    return func.coalesce(keys[name], "").collate("C")


_IDLE = text("""
SELECT date_trunc('day', hour, 'UTC') AS day, host, device, engine,
    sum(up_ms) AS up_ms, sum(used_ms) AS used_ms
FROM device_hours WHERE hour >= :since AND hour < :until
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
""")
