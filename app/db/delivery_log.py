"""What callers read of deliveries: pages of them, and one with all that came back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.db.models import Delivery, DeliveryAttempt, DeliveryState, EventRow
from app.domain.events import EventType
from app.errors import NotFound


@dataclass(frozen=True)
class Filter:
    """Which deliveries are wanted; what is None does not matter."""

    endpoint_id: UUID | None = None
    state: DeliveryState | None = None
    event: EventType | None = None
    job_id: UUID | None = None
    campaign_id: UUID | None = None


def page(
    session: Session, tenant_id: UUID, wanted: Filter, *, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """A tenant's deliveries, newest first, each with its event."""
    statement: Any = _SHOWN.where(Delivery.tenant_id == tenant_id)
    for column, value in (
        (Delivery.endpoint_id, wanted.endpoint_id),
        (Delivery.state, wanted.state),
        (EventRow.type, wanted.event),
        (EventRow.job_id, wanted.job_id),
        (EventRow.campaign_id, wanted.campaign_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        statement = statement.where(Delivery.id < before)
    rows: Sequence[Row[Any]] = session.execute(
        statement.order_by(Delivery.id.desc()).limit(limit)
    ).all()
    return rows


def one(session: Session, tenant_id: UUID, delivery_id: UUID) -> Row[Any]:
    """One delivery with its event. Raises `NotFound`, also for another tenant's."""
    mine = (Delivery.id == delivery_id, Delivery.tenant_id == tenant_id)
    row: Row[Any] | None = session.execute(_SHOWN.where(*mine)).first()
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return row


def attempts(session: Session, delivery_id: UUID) -> Sequence[DeliveryAttempt]:
    """Everything that came back, in the order of the attempts."""
    its = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id)
    return session.scalars(its.order_by(DeliveryAttempt.id)).all()


_SHOWN: Any = select(Delivery, EventRow).join(EventRow, EventRow.id == Delivery.event_id)
