"""Webhook endpoints: where a tenant hears of what happens to it."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api import examples, hook_schemas
from app.api.deps import KEYED, Principal, TenantId, TheDesk, takes
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.db import audit, delivery_log, endpoints
from app.db.models import DisabledBecause
from app.domain.endpoints import EndpointChange, EndpointRequest, RotateRequest
from app.domain.scopes import Scope
from app.errors import (
    EndpointDisabled,
    InvalidRequest,
    NotFound,
    RotatedTooOften,
    SourceForbidden,
    TooManyEndpoints,
)
from app.listening import check_receiver

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"], **KEYED)

Change = Annotated[EndpointChange, Body(examples=[examples.ENDPOINT_CHANGE])]
SECRET = {"Cache-Control": "no-store"}


@router.post(
    "",
    status_code=201,
    response_model=hook_schemas.Endpoint,
    summary="Hear of everything at one address",
    responses=documented(InvalidRequest, SourceForbidden, TooManyEndpoints),
)
def create_endpoint(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[EndpointRequest, Body(examples=[examples.ENDPOINT_REQUEST])],
) -> Response:
    """Its secret is at `/secret`; send it a `/test` before you rely on it."""
    check_receiver(desk, wanted.url)
    with desk.sessions.begin() as session:
        endpoint_id = endpoints.create(session, tenant_id, **wanted.columns)
        if not wanted.enabled:
            its = endpoints.get(session, tenant_id, endpoint_id)
            endpoints.disable(session, its, DisabledBecause.ASKED)
        content = _shown(session, tenant_id, endpoint_id)
        _tell(session, tenant_id, endpoint_id, "created", by)
    place = {"Location": f"/v1/webhook-endpoints/{endpoint_id}"}
    return reply(content, 201, {**UNCACHED, **place})


@router.get("", response_model=hook_schemas.Endpoints, summary="Your webhook endpoints")
def list_endpoints(desk: TheDesk, tenant_id: TenantId) -> Response:
    """All of them, oldest first: there are 20 at most."""
    with desk.sessions() as session:
        rows = endpoints.listing(session, tenant_id)
    shown = [hook_schemas.endpoint_shown(row) for row in rows]
    return reply(hook_schemas.Endpoints(data=shown), 200, UNCACHED)


@router.get(
    "/{endpoint_id}",
    response_model=hook_schemas.Endpoint,
    summary="How one is",
    responses=documented(NotFound),
)
def get_endpoint(desk: TheDesk, tenant_id: TenantId, endpoint_id: UUID) -> Response:
    with desk.sessions() as session:
        return reply(_shown(session, tenant_id, endpoint_id), 200, UNCACHED)


@router.patch(
    "/{endpoint_id}",
    response_model=hook_schemas.Endpoint,
    summary="Change one, or enable it again",
    responses=documented(NotFound, InvalidRequest, SourceForbidden),
)
def change_endpoint(
    desk: TheDesk, tenant_id: TenantId, by: Principal, endpoint_id: UUID, wanted: Change
) -> Response:
    """
    What is not named stays. Disabling gives up what waits for it; nothing that happens while it is
    disabled is kept for it.
    """
    if wanted.url is not None:
        check_receiver(desk, wanted.url)
    with desk.sessions.begin() as session:
        its = endpoints.get(session, tenant_id, endpoint_id)
        endpoints.change(session, its, **wanted.columns)
        content = _shown(session, tenant_id, endpoint_id)
        _tell(session, tenant_id, endpoint_id, "changed", by)
    return reply(content, 200, UNCACHED)


@router.delete(
    "/{endpoint_id}",
    response_model=hook_schemas.Endpoint,
    summary="Send nothing more to one",
    responses=documented(NotFound),
)
def delete_endpoint(
    desk: TheDesk, tenant_id: TenantId, by: Principal, endpoint_id: UUID
) -> Response:
    """As it was last. What was delivered to it stays in `GET /v1/webhook-deliveries`."""
    with desk.sessions.begin() as session:
        its = endpoints.get(session, tenant_id, endpoint_id)
        row = endpoints.shown(session, tenant_id, endpoint_id)
        endpoints.disable(session, its, DisabledBecause.DELETED)
        session.refresh(its)
        content = hook_schemas.endpoint_shown(row)
        _tell(session, tenant_id, endpoint_id, "deleted", by)
    return reply(content, 200, UNCACHED)


@router.get(
    "/{endpoint_id}/secret",
    response_model=hook_schemas.EndpointSecret,
    summary="What verifies its webhooks",
    responses=documented(NotFound),
    openapi_extra=takes(Scope.ADMIN),  # who has it can speak in our name
)
def get_secret(desk: TheDesk, tenant_id: TenantId, endpoint_id: UUID) -> Response:
    """The newest secret, and those that sign beside it for a while."""
    with desk.sessions() as session:
        row = endpoints.shown(session, tenant_id, endpoint_id)
    key = desk.settings.secret_key.get_secret_value()
    return reply(hook_schemas.secret_shown(row.Endpoint, key), 200, SECRET)


@router.post(
    "/{endpoint_id}/rotate-secret",
    response_model=hook_schemas.Endpoint,
    summary="Give one a new secret",
    responses=documented(NotFound, InvalidRequest, RotatedTooOften),
)
def rotate_secret(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    endpoint_id: UUID,
    wanted: Annotated[RotateRequest | None, Body(examples=[{"overlap_seconds": 86_400}])] = None,
) -> Response:
    """For a day both sign (space-separated, as Standard Webhooks says), so that none is refused."""
    overlap = timedelta(seconds=(wanted or RotateRequest()).overlap_seconds)
    with desk.sessions.begin() as session:
        endpoints.rotate(session, endpoints.get(session, tenant_id, endpoint_id), overlap=overlap)
        session.flush()
        content = _shown(session, tenant_id, endpoint_id)
        _tell(session, tenant_id, endpoint_id, "rotated", by)
    return reply(content, 200, UNCACHED)


@router.post(
    "/{endpoint_id}/test",
    response_model=hook_schemas.DeliveryShown,
    summary="Send `endpoint.test` to one",
    responses=documented(NotFound, EndpointDisabled),
)
def test_endpoint(desk: TheDesk, tenant_id: TenantId, endpoint_id: UUID) -> Response:
    """Sent like any other event, whatever it filters; the delivery tells what came of it."""
    with desk.sessions.begin() as session:
        its = endpoints.get(session, tenant_id, endpoint_id)
        delivery_id = endpoints.test(session, its)
        content = hook_schemas.delivery_shown(delivery_log.one(session, tenant_id, delivery_id))
    desk.tickets.deliver()
    return reply(content, 200, UNCACHED)


def _tell(session: Session, tenant_id: UUID, endpoint_id: UUID, deed: str, by: str) -> None:
    """In the audit log; where it leads and what it hears may be somebody's, and is not told."""
    target = f"endpoint:{endpoint_id}"
    audit.record(session, tenant_id, by=by, action=f"endpoint.{deed}", target=target)


def _shown(session: Session, tenant_id: UUID, endpoint_id: UUID) -> hook_schemas.Endpoint:
    return hook_schemas.endpoint_shown(endpoints.shown(session, tenant_id, endpoint_id))
