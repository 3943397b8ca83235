"""Deliveries that are sent again, one or many."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from app.db.models import Delivery, DeliveryState, Endpoint
from app.errors import EndpointDisabled, NotFound


def replay(session: Session, event_id: UUID) -> int:
    """Make every delivery of an event due again, from the first attempt. Raises `NotFound`."""
    replayed = session.scalars(_again(Delivery.event_id == event_id)).all()
    if not replayed:
        raise NotFound(f"No event {event_id} has deliveries, or its endpoints are disabled.")
    return len(replayed)


def replay_delivery(session: Session, tenant_id: UUID, delivery_id: UUID) -> None:
    """Make one delivery due again. Raises `NotFound` and `EndpointDisabled`."""
    mine = (Delivery.id == delivery_id, Delivery.tenant_id == tenant_id)
    if session.scalars(_again(*mine)).first() is not None:
        return
    if session.scalar(select(Delivery.id).where(*mine)) is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    raise EndpointDisabled("Its endpoint is disabled: enable it first.")


def replay_range(
    session: Session,
    endpoint: Endpoint,
    *,
    since: datetime,
    until: datetime | None,
    state: DeliveryState | None,
    dry_run: bool,
) -> int:
    """
    Make due again what an endpoint was to be told in that time, and has been or could not be.

    Answers with how many. Raises `EndpointDisabled`.
    """
    if endpoint.disabled_at is not None:
        raise EndpointDisabled("The endpoint is disabled: enable it first.")
    ended = Delivery.state != DeliveryState.PENDING
    its: list[ColumnElement[bool]] = [Delivery.endpoint_id == endpoint.id, ended]
    its.append(Delivery.created_at >= since)
    if until is not None:
        its.append(Delivery.created_at < until)
    if state is not None:
        its.append(Delivery.state == state)
    if dry_run:
        return session.scalar(select(func.count()).select_from(Delivery).where(*its)) or 0
    return len(session.scalars(_again(*its)).all())


def _again(*where: ColumnElement[bool]) -> ReturningUpdate[UUID]:
    # Whoever sends one of them right now does not write over this: its claim counted no attempt.
    disabled = select(Endpoint.id).where(Endpoint.disabled_at.is_not(None))
    reachable = Delivery.endpoint_id.is_(None) | Delivery.endpoint_id.not_in(disabled)
    fresh: dict[str, Any] = {"state": DeliveryState.PENDING, "attempts": 0, "delivered_at": None}
    return (
        update(Delivery)
        .where(*where, reachable)
        .values(**fresh, due_at=func.now(), error=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
