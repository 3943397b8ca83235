"""The shapes of our answers about webhook endpoints and deliveries, and how rows become them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from app.api import examples
from app.db.models import Delivery, DeliveryAttempt, DeliveryState, DisabledBecause, EventRow
from app.db.models import Endpoint as EndpointRow
from app.domain.events import Event, EventType
from app.domain.rotation import Signing
from app.signing import endpoint_key, endpoint_secret, public_text


class Endpoint(BaseModel):
    """Where a tenant hears of what happens to it."""

    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    id: UUID
    url: str
    events: list[EventType] | None = Field(description="`null`: all.")
    description: str
    signatures: list[Literal["v1", "v1a"]]
    enabled: bool
    disabled_because: DisabledBecause | None = Field(
        description="`asked`: you did; `gone`: it answered 410; `failing`: nothing arrived for five"
        " days; `deleted`."
    )
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="Nothing has arrived since; null if it has.")
    circuit: Literal["closed", "open"] = Field(
        description="`open`: after ten failures in a row it rests a minute; then one delivery goes."
    )
    created_at: datetime

    model_config = ConfigDict(json_schema_extra={"example": examples.ENDPOINT})


class Endpoints(BaseModel):
    data: list[Endpoint]


class OldSecret(BaseModel):
    """One that signs beside the newest until it ends."""

    secret: str
    public_key: str | None
    until: datetime


class EndpointSecret(BaseModel):
    """What an endpoint's webhooks are verified with."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    public_key: str | None = Field(
        description="For `v1a`: Ed25519, if the endpoint asks for it.",
        examples=["whpk_dGhpcyBpcyAzMiBieXRlcyBvZiBhIHB1YmxpYyBrZXkh"],
    )
    old: list[OldSecret]


class DeliveryShown(BaseModel):
    """One event on its way to one receiver."""

    object: Literal["webhook_delivery"] = "webhook_delivery"
    id: UUID
    endpoint_id: UUID | None = Field(description="null: the URL that the work came with.")
    url: str
    event_id: UUID = Field(description="The `webhook-id` header, the same in every attempt.")
    event: EventType
    job_id: UUID | None
    campaign_id: UUID | None
    state: DeliveryState
    attempts: int = Field(description="Since it was written, or replayed; ten at most.")
    next_attempt_at: datetime | None
    response_status: int | None = Field(description="Of the last attempt.")
    error: str | None = Field(description="Of the last attempt, if no whole answer came.")
    created_at: datetime
    delivered_at: datetime | None

    model_config = ConfigDict(json_schema_extra={"example": examples.DELIVERY})


class AttemptError(BaseModel):
    """Why no whole answer came; `code` is one of `GET /problems`."""

    code: str | None
    detail: str


class Attempt(BaseModel):
    """What came back."""

    at: datetime
    duration_ms: float | None
    response_status: int | None
    response_excerpt: str | None = Field(description="Its first 2,048 characters.")
    error: AttemptError | None


class DeliveryLog(DeliveryShown):
    """One delivery with what was sent and everything that came back."""

    payload: dict[str, Any] = Field(description="The body, as it is signed and sent.")
    log: list[Attempt] = Field(description="Every attempt, the first one first.")

    model_config = ConfigDict(
        json_schema_extra={"example": {**examples.DELIVERY, **examples.DELIVERY_LOG}}
    )


class Replayed(BaseModel):
    """How many deliveries are, or with `dry_run` would be, sent again."""

    count: int
    dry_run: bool


def endpoint_shown(row: Row[Any]) -> Endpoint:
    """A row of `endpoints.listing` as callers see it."""
    endpoint: EndpointRow = row.Endpoint
    return Endpoint(
        id=endpoint.id,
        url=endpoint.url,
        events=None if endpoint.events is None else [EventType(one) for one in endpoint.events],
        description=endpoint.description,
        signatures=["v1", "v1a"] if endpoint.v1a else ["v1"],
        enabled=endpoint.disabled_at is None,
        disabled_because=endpoint.disabled_because,
        disabled_at=endpoint.disabled_at,
        failing_since=row.failing_since,
        circuit="open" if row.open else "closed",
        created_at=endpoint.created_at,
    )


def secret_shown(endpoint: EndpointRow, secret_key: str) -> EndpointSecret:
    """What verifies an endpoint's webhooks now, and for a while still does."""
    signing = Signing.of(endpoint.generation, endpoint.retired, now=datetime.now(UTC))

    def secret(generation: int) -> str:
        return endpoint_secret(secret_key, endpoint.id, generation)

    def public(generation: int) -> str | None:
        key = endpoint_key(secret_key, endpoint.id, generation)
        return public_text(key) if endpoint.v1a else None

    newest, *old = signing.generations
    return EndpointSecret(
        secret=secret(newest),
        public_key=public(newest),
        old=[
            OldSecret(secret=secret(one), public_key=public(one), until=until)
            for one, until in zip(old, signing.until, strict=True)
        ],
    )


def delivery_shown(row: Row[Any]) -> DeliveryShown:
    """A row of the delivery log as callers see it."""
    return DeliveryShown(**_facts(row.Delivery, row.EventRow))


def log_shown(row: Row[Any], attempts: Sequence[DeliveryAttempt]) -> DeliveryLog:
    """The same with its payload and what came back."""
    event: EventRow = row.EventRow
    body = Event(
        id=event.id,
        type=event.type,
        timestamp=event.created_at,
        data=event.data | {"sequence": event.sequence},
    )
    return DeliveryLog(
        **_facts(row.Delivery, event),
        payload=body.model_dump(mode="json", exclude={"id"}),
        log=[_attempt(one) for one in attempts],
    )


def _facts(delivery: Delivery, event: EventRow) -> dict[str, Any]:
    waiting = delivery.state is DeliveryState.PENDING
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "url": delivery.url,
        "event_id": event.id,
        "event": event.type,
        "job_id": event.job_id,
        "campaign_id": event.campaign_id,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.due_at if waiting else None,
        "response_status": delivery.response_status,
        "error": delivery.error,
        "created_at": delivery.created_at,
        "delivered_at": delivery.delivered_at,
    }


def _attempt(one: DeliveryAttempt) -> Attempt:
    error = None if one.error is None else AttemptError(code=one.error_code, detail=one.error)
    return Attempt(
        at=one.at,
        duration_ms=one.duration_ms,
        response_status=one.response_status,
        response_excerpt=one.response_excerpt,
        error=error,
    )
