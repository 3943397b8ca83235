"""Webhook endpoints: made, changed, rotated, disabled, and told of."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from app.db import events
from app.db.models import Circuit, Delivery, DeliveryState, DisabledBecause, Endpoint
from app.domain.events import EventType
from app.domain.ids import new_id
from app.domain.rotation import Signing
from app.errors import EndpointDisabled, NotFound, TooManyEndpoints

MOST: Final = 20  #: endpoints of one tenant


def create(session: Session, tenant_id: UUID, **wanted: Any) -> UUID:
    """A new endpoint. Raises `TooManyEndpoints`."""
    if len(listing(session, tenant_id)) >= MOST:
        raise TooManyEndpoints(f"There are {MOST} endpoints; delete one that is not used.")
    endpoint = Endpoint(id=new_id(), tenant_id=tenant_id, **wanted)
    session.add(endpoint)
    session.flush()
    return endpoint.id


def shown(session: Session, tenant_id: UUID, endpoint_id: UUID) -> Row[Any]:
    """An endpoint and how its circuit is. Raises `NotFound`, also for another tenant's."""
    rows = [row for row in listing(session, tenant_id) if row.Endpoint.id == endpoint_id]
    if not rows:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}.")
    return rows[0]


def listing(session: Session, tenant_id: UUID) -> Sequence[Row[Any]]:
    """The endpoints of a tenant, oldest first, each with how its circuit is."""
    statement: Any = (
        select(
            Endpoint,
            Circuit.failing_since,
            (Circuit.open_until > func.now()).label("open"),
        )
        .outerjoin(Circuit, Circuit.receiver_id == Endpoint.id)
        .where(Endpoint.tenant_id == tenant_id, _exists())
        .order_by(Endpoint.id)
    )
    rows: Sequence[Row[Any]] = session.execute(statement).all()
    return rows


def get(session: Session, tenant_id: UUID, endpoint_id: UUID) -> Endpoint:
    """One endpoint, locked. Raises `NotFound`, also for another tenant's."""
    its = (Endpoint.id == endpoint_id, Endpoint.tenant_id == tenant_id, _exists())
    found = session.scalars(select(Endpoint).where(*its).with_for_update()).one_or_none()
    if found is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}.")
    return found


def change(session: Session, endpoint: Endpoint, **wanted: Any) -> None:
    """Change what its owner may; what waits for it goes to the new address, too."""
    enabled = wanted.pop("enabled", None)
    for name, value in wanted.items():
        setattr(endpoint, name, value)
    if "url" in wanted:
        waiting = _waiting(endpoint.id)
        session.execute(update(Delivery).where(*waiting).values(url=endpoint.url))
        _forgive(session, endpoint.id)
    if enabled is False and endpoint.disabled_at is None:
        disable(session, endpoint, DisabledBecause.ASKED)
    if enabled is True and endpoint.disabled_at is not None:
        endpoint.disabled_at = endpoint.disabled_because = None
        _forgive(session, endpoint.id)


def rotate(session: Session, endpoint: Endpoint, *, overlap: timedelta) -> None:
    """
    A new secret; the old one signs beside it for `overlap`, and without one none does.

    Raises `RotatedTooOften` while too many old ones still sign.
    """
    now = datetime.now(UTC)
    live = Signing.of(endpoint.generation, endpoint.retired, now=now)
    endpoint.retired = live.retired(now=now, overlap=overlap)
    endpoint.generation += 1


def test(session: Session, endpoint: Endpoint) -> UUID:
    """Send `endpoint.test` to it, whatever it filters: the delivery. Raises `EndpointDisabled`."""
    if endpoint.disabled_at is not None:
        raise EndpointDisabled("The endpoint is disabled: enable it first.")
    return events.record_endpoint(session, EventType.ENDPOINT_TEST, endpoint, [endpoint.id])[0]


def disable(session: Session, endpoint: Endpoint, because: DisabledBecause) -> None:
    """Send nothing more to it, nor what waits; where we do it ourselves, the others are told."""
    endpoint.disabled_at, endpoint.disabled_because = func.now(), because
    given_up = {"state": DeliveryState.FAILED, "error": "The endpoint was disabled."}
    session.execute(update(Delivery).where(*_waiting(endpoint.id)).values(given_up))
    session.flush()
    if because in (DisabledBecause.GONE, DisabledBecause.FAILING):
        kind = EventType.ENDPOINT_DISABLED
        others = events.listening(session, endpoint.tenant_id, kind)
        events.record_endpoint(session, kind, endpoint, others, because=because.value)


def give_up(session: Session, ends: dict[UUID, DisabledBecause]) -> None:
    """Disable those of these that still are enabled; in one order, so that no two of us wait."""
    its = select(Endpoint).where(Endpoint.id.in_(ends), Endpoint.disabled_at.is_(None))
    for endpoint in session.scalars(its.order_by(Endpoint.id).with_for_update()).all():
        disable(session, endpoint, ends[endpoint.id])


def _exists() -> Any:
    return Endpoint.disabled_because.is_distinct_from(DisabledBecause.DELETED)


def _waiting(endpoint_id: UUID) -> Iterable[Any]:
    return Delivery.endpoint_id == endpoint_id, Delivery.state == DeliveryState.PENDING


def _forgive(session: Session, receiver_id: UUID) -> None:
    """It starts anew: what it did before is no measure of what it does now."""
    closed = {"failures": 0, "failing_since": None, "open_until": None}
    session.execute(update(Circuit).where(Circuit.receiver_id == receiver_id).values(closed))
