"""Money: appended, never changed. Reserved when work is accepted, settled when it is done."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Row, Uuid, bindparam, func, select, text
from sqlalchemy.orm import Session

from app.db.models import LedgerEntry
from app.domain.parameters import Quality
from app.settings import RateCard

_CLOSE = text("""
    INSERT INTO ledger (tenant_id, campaign_id, job_id, kind, amount_micros, rate_card)
    SELECT tenant_id, campaign_id, job_id, 'release', -amount_micros, rate_card
    FROM ledger WHERE job_id = ANY(:ids) AND kind = 'reserve'
    UNION ALL
    SELECT tenant_id, campaign_id, job_id, 'settle', cost, rate_card
    FROM ledger JOIN unnest(:ids, :costs) AS done (job, cost) ON job = job_id
    WHERE kind = 'reserve' AND cost IS NOT NULL
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("costs", type_=ARRAY(BigInteger)),
)


def close(session: Session, rows: Sequence[Row[Any]]) -> None:
    """Release what was reserved for ended jobs, and settle those that have a cost."""
    session.execute(
        _CLOSE, {"ids": [row.id for row in rows], "costs": [row.cost_micros for row in rows]}
    )


def balance(session: Session, tenant_id: Any) -> int:
    """What a tenant has spent and set aside, in millionths."""
    total = select(func.sum(LedgerEntry.amount_micros)).where(LedgerEntry.tenant_id == tenant_id)
    return int(session.scalar(total) or 0)


def estimate(card: RateCard, pixels: int, quality: Quality = Quality.STANDARD) -> int:
    """What a picture of that size will cost, in millionths, before anybody measured it."""
    prints = quality is Quality.PRINT
    pace = card.estimate_print_ms_per_megapixel if prints else card.estimate_ms_per_megapixel
    return cost(card, pixels / 1e6 * pace)


def cost(card: RateCard, device_ms: float) -> int:
    """What that much of a device costs, in millionths, with the fixed part of a job."""
    return card.per_job + round(device_ms / 1000 * card.per_device_second)
