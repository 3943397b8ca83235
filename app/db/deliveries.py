"""Deliveries on their way: what is due, what came back, what is sent again."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from app.db.models import Delivery, DeliveryState, EventRow, Tenant
from app.errors import NotFound

EXCERPT = 2_048  #: characters kept of a receiver's answer


def claim(session: Session, *, limit: int, hold: float) -> Sequence[Row[Any]]:
    """
    Take what is due, oldest first, for `hold` seconds: if we die, it is due again then.

    The attempt is counted here, so that a delivery that kills its sender is given up, too.
    """
    due = (
        select(Delivery.id)
        .where(Delivery.state == DeliveryState.PENDING, Delivery.due_at <= func.now())
        .order_by(Delivery.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = (
        update(Delivery)
        .where(Delivery.id.in_(select(due.c.id)))
        .values(
            attempts=Delivery.attempts + 1,
            attempted_at=func.now(),
            due_at=func.now() + timedelta(seconds=hold),
        )
        .returning(Delivery.id, Delivery.event_id, Delivery.url, Delivery.attempts)
        .cte("taken")
    )
    statement = (
        select(
            taken.c.id,
            taken.c.url,
            taken.c.attempts,
            EventRow.id.label("event_id"),
            EventRow.type,
            EventRow.data,
            EventRow.sequence,
            EventRow.created_at,
            EventRow.tenant_id,
            Tenant.webhook_generation,
        )
        .join(EventRow, EventRow.id == taken.c.event_id)
        .join(Tenant, Tenant.id == EventRow.tenant_id)
        .order_by(EventRow.id)
    )
    return session.execute(statement).all()


def delivered(session: Session, delivery_id: UUID, *, status: int, excerpt: str) -> None:
    """The receiver said 2xx."""
    _answer(
        session,
        delivery_id,
        state=DeliveryState.DELIVERED,
        delivered_at=func.now(),
        response_status=status,
        response_excerpt=excerpt[:EXCERPT],
        error=None,
    )


def refused(
    session: Session,
    delivery_id: UUID,
    *,
    status: int | None,
    excerpt: str | None,
    error: str | None,
    again_in: float | None,
) -> None:
    """It did not arrive: due again in so many seconds, or never when that is None."""
    changes: dict[str, Any] = {"state": DeliveryState.FAILED}
    if again_in is not None:
        changes = {"due_at": func.now() + timedelta(seconds=again_in)}
    _answer(
        session,
        delivery_id,
        response_status=status,
        response_excerpt=(excerpt or "")[:EXCERPT],
        error=error,
        **changes,
    )


def any_due(session: Session) -> bool:
    """Whether a sender would find something now; one index probe."""
    due = select(Delivery.id).where(
        Delivery.state == DeliveryState.PENDING, Delivery.due_at <= func.now()
    )
    return session.scalar(select(due.limit(1).exists())) or False


def replay(session: Session, event_id: UUID) -> int:
    """Make every delivery of an event due again, from the first attempt. Raises `NotFound`."""
    statement = (
        update(Delivery)
        .where(Delivery.event_id == event_id)
        .values(state=DeliveryState.PENDING, attempts=0, due_at=func.now(), delivered_at=None)
        .returning(Delivery.id)
    )
    replayed = session.scalars(statement).all()
    if not replayed:
        raise NotFound(f"No event {event_id} has deliveries.")
    return len(replayed)


def _answer(session: Session, delivery_id: UUID, **changes: Any) -> None:
    pending = (Delivery.id == delivery_id, Delivery.state == DeliveryState.PENDING)
    session.execute(update(Delivery).where(*pending).values(**changes))
