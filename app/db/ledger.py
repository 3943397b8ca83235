"""Money: appended, never changed. Reserved when work is accepted, settled when it is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Double,
    Integer,
    Row,
    String,
    Uuid,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.orm import Session

from app.db.models import LedgerEntry
from app.domain.prices import Usage


@dataclass(frozen=True, slots=True)
class Bill:
    """What a success is charged for, and at the prices of which card: the one it was done under."""

    usage: Usage
    rate_card: str


_CLOSE = text("""
    WITH done AS (
        SELECT ledger.tenant_id, ledger.campaign_id, ledger.job_id, ledger.round,
            ledger.amount_micros, ledger.rate_card, ended.*
        FROM ledger JOIN unnest(:ids, :rounds, :costs, CAST(:cards AS text[]),
            CAST(:device_ms AS float[]), CAST(:cpu_ms AS float[]),
            CAST(:stored_bytes AS bigint[]), CAST(:signatures AS int[]))
            AS ended (job, its_round, cost, card, device_ms, cpu_ms, stored_bytes, signatures)
            ON job_id = job AND round = its_round
        WHERE kind = 'reserve'
    )
    INSERT INTO ledger (tenant_id, campaign_id, job_id, round, kind, amount_micros, rate_card,
        device_ms, cpu_ms, stored_bytes, signatures)
    SELECT tenant_id, campaign_id, job_id, round, 'release', -amount_micros, rate_card,
        NULL, NULL, NULL, NULL
    FROM done
    UNION ALL
    SELECT tenant_id, campaign_id, job_id, round, 'settle', cost, coalesce(card, rate_card),
        device_ms, cpu_ms, stored_bytes, signatures
    FROM done WHERE cost IS NOT NULL
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("rounds", type_=ARRAY(Integer)),
    bindparam("costs", type_=ARRAY(BigInteger)),
    bindparam("cards", type_=ARRAY(String)),
    bindparam("device_ms", type_=ARRAY(Double)),
    bindparam("cpu_ms", type_=ARRAY(Double)),
    bindparam("stored_bytes", type_=ARRAY(BigInteger)),
    bindparam("signatures", type_=ARRAY(BigInteger)),
)

_REOPEN = text("""
    INSERT INTO ledger (tenant_id, campaign_id, job_id, round, kind, amount_micros, rate_card)
    SELECT tenant_id, campaign_id, job_id, its_round, 'reserve', amount_micros, rate_card
    FROM ledger JOIN unnest(:ids, :rounds) AS again (job, its_round)
        ON job_id = job AND round = its_round - 1
    WHERE kind = 'reserve'
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("rounds", type_=ARRAY(Integer)),
)


def close(session: Session, rows: Sequence[Row[Any]], bills: Mapping[UUID, Bill]) -> None:
    """
    Release what this round reserved for ended jobs, and settle those that have a cost.

    One that has it from elsewhere, without a bill, is settled under its reservation's card.
    """
    if not rows:
        return
    its = [bills.get(row.id) for row in rows]
    session.execute(
        _CLOSE,
        {
            **_rounds(rows),
            "costs": [row.cost_micros for row in rows],
            "cards": [bill and bill.rate_card for bill in its],
            "device_ms": [bill and bill.usage.device_ms for bill in its],
            "cpu_ms": [bill and bill.usage.cpu_ms for bill in its],
            "stored_bytes": [bill and round(bill.usage.stored_bytes) for bill in its],
            "signatures": [bill and round(bill.usage.signatures) for bill in its],
        },
    )


def reopen(session: Session, rows: Sequence[Row[Any]]) -> None:
    """Reserve again, as much as the round before, for jobs that are retried."""
    session.execute(_REOPEN, _rounds(rows))


def _rounds(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    return {"ids": [row.id for row in rows], "rounds": [row.round for row in rows]}


def balance(session: Session, tenant_id: Any) -> int:
    """What a tenant has spent and set aside, in millionths."""
    total = select(func.sum(LedgerEntry.amount_micros)).where(LedgerEntry.tenant_id == tenant_id)
    return int(session.scalar(total) or 0)
