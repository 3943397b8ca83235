"""Money: appended, never changed. Reserved when work is accepted, settled when it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Double, Row, String, Uuid, bindparam, func, select, text
from sqlalchemy.orm import Session

from app.db.models import LedgerEntry
from app.domain.prices import Usage


@dataclass(frozen=True, slots=True)
class Bill:
    """What a success is charged for, and at the prices of which card: the one it was done under."""

    usage: Usage
    rate_card: str


_CLOSE = text("""
    INSERT INTO ledger (tenant_id, campaign_id, job_id, kind, amount_micros, rate_card,
        device_ms, cpu_ms, stored_bytes, signatures)
    SELECT tenant_id, campaign_id, job_id, 'release', -amount_micros, rate_card,
        NULL, NULL, NULL, NULL
    FROM ledger WHERE job_id = ANY(:ids) AND kind = 'reserve'
    UNION ALL
    SELECT tenant_id, campaign_id, job_id, 'settle', cost, coalesce(card, rate_card),
        done.device_ms, done.cpu_ms, done.stored_bytes, done.signatures
    FROM ledger JOIN unnest(:ids, :costs, CAST(:cards AS text[]),
        CAST(:device_ms AS float[]), CAST(:cpu_ms AS float[]), CAST(:stored_bytes AS bigint[]),
        CAST(:signatures AS int[]))
        AS done (job, cost, card, device_ms, cpu_ms, stored_bytes, signatures) ON job = job_id
    WHERE kind = 'reserve' AND cost IS NOT NULL
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("costs", type_=ARRAY(BigInteger)),
    bindparam("cards", type_=ARRAY(String)),
    bindparam("device_ms", type_=ARRAY(Double)),
    bindparam("cpu_ms", type_=ARRAY(Double)),
    bindparam("stored_bytes", type_=ARRAY(BigInteger)),
    bindparam("signatures", type_=ARRAY(BigInteger)),
)


def close(session: Session, rows: Sequence[Row[Any]], bills: Mapping[UUID, Bill]) -> None:
    """
    Release what was reserved for ended jobs, and settle those that have a cost.

    One that has it from elsewhere, without a bill, is settled under its reservation's card.
    """
    its = [bills.get(row.id) for row in rows]
    session.execute(
        _CLOSE,
        {
            "ids": [row.id for row in rows],
            "costs": [row.cost_micros for row in rows],
            "cards": [bill and bill.rate_card for bill in its],
            "device_ms": [bill and bill.usage.device_ms for bill in its],
            "cpu_ms": [bill and bill.usage.cpu_ms for bill in its],
            "stored_bytes": [bill and round(bill.usage.stored_bytes) for bill in its],
            "signatures": [bill and round(bill.usage.signatures) for bill in its],
        },
    )


def balance(session: Session, tenant_id: Any) -> int:
    """What a tenant has spent and set aside, in millionths."""
    total = select(func.sum(LedgerEntry.amount_micros)).where(LedgerEntry.tenant_id == tenant_id)
    return int(session.scalar(total) or 0)
