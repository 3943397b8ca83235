"""Rate cards by name: once entries carry it, its prices stay."""

import json

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db import Sessions
from app.db.models import KnownRateCard
from app.errors import Misconfigured
from app.settings import RateCard


def register(session: Session, card: RateCard) -> None:
    """Make a card known. Raises `Misconfigured` where its name stands for other prices."""
    its = {"name": card.name, "currency": card.currency, "prices": json.dumps(card.prices)}
    session.execute(_ADD, its)
    known = session.scalars(_KNOWN, {"name": card.name}).one()
    if known != card.prices:
        changed = sorted(name for name in card.prices if known.get(name) != card.prices[name])
        raise Misconfigured(
            f"Rate card {card.name!r} is known with other prices ({', '.join(changed)}): entries"
            " carry that name. Give the new prices a name of their own, IMPASTO_RATE_CARD__NAME."
        )


def agree(sessions: Sessions, card: RateCard) -> None:
    """What a process does with its card before it charges anything. Raises as `register`."""
    with sessions.begin() as session:
        register(session, card)


def known(session: Session) -> dict[str, RateCard]:
    """Every card that this database has seen."""
    return {row.name: read(row.name, row.prices) for row in session.scalars(select(KnownRateCard))}


def read(name: str, prices: dict[str, object]) -> RateCard:
    """A card as it was made known."""
    return RateCard.model_validate({"name": name, **prices})


_ADD = text("""
INSERT INTO rate_cards (name, currency, prices) VALUES (:name, :currency, CAST(:prices AS jsonb))
ON CONFLICT DO NOTHING
""")
_KNOWN = text("SELECT prices FROM rate_cards WHERE name = :name")
