"""What work has cost, line by line."""

from typing import Any

from sqlalchemy import Row

from app.api import schemas
from app.db import rate_cards
from app.domain import prices as prices_of
from app.domain.prices import Usage
from app.settings import RateCard, Settings


def cost_shown(settings: Settings, row: Row[Any]) -> schemas.Cost | None:
    """What a row of `reading` has cost."""
    if row.rate_card is None:
        return None
    card = rate_cards.read(row.rate_card, row.prices) if row.prices else settings.rate_card
    return schemas.Cost(
        micros=row.Job.cost_micros or 0,
        currency=card.currency,
        rate_card=row.rate_card,
        parts=parts_shown(card, _usage(row)) if row.prices and row.device_ms is not None else None,
    )


def _usage(row: Row[Any]) -> Usage:
    return Usage(row.device_ms, row.cpu_ms, row.stored_bytes, row.signatures)


def parts_shown(card: RateCard, usage: Usage, jobs: int = 1) -> schemas.CostParts:
    """A bill line by line."""
    amounts, prices = prices_of.quantities(card, usage, jobs), prices_of.rates(card)
    shown = {
        part.value: schemas.CostPart(
            quantity=round(amount, 9),
            unit=prices_of.UNITS[part],
            micros=round(amount * prices[part], 3),
        )
        for part, amount in amounts.items()
    }
    return schemas.CostParts.model_validate(shown)
