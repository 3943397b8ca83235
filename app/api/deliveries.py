"""The delivery log: what was sent where, what came back, and sending it again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api import hook_schemas, schemas
from app.api.deps import KEYED, Cursor, Limit, TenantId, TheDesk
from app.api.moments import ZonedMoment
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.db import delivery_log, endpoints, replays
from app.db.delivery_log import Filter
from app.db.models import DeliveryState
from app.domain.events import EventType
from app.errors import BadRequest, EndpointDisabled, InvalidRequest, NotFound
from app.submission import Desk

router = APIRouter(prefix="/v1", tags=["webhooks"], **KEYED)

Page = schemas.Page[hook_schemas.DeliveryShown]
State = Annotated[DeliveryState | None, Query()]
Kind = Annotated[EventType | None, Query()]
Of = Annotated[UUID | None, Query()]


@router.get(
    "/webhook-deliveries",
    response_model=Page,
    summary="Your webhooks, newest first",
    responses=documented(BadRequest, InvalidRequest),
)
def list_deliveries(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    state: State = None,
    event: Kind = None,
    job_id: Of = None,
    campaign_id: Of = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """To all receivers: your endpoints, and the URLs that your work came with."""
    wanted = Filter(state=state, event=event, job_id=job_id, campaign_id=campaign_id)
    return _page(request, desk, tenant_id, wanted, cursor, limit)


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    response_model=Page,
    summary="What one endpoint was sent, newest first",
    responses=documented(BadRequest, InvalidRequest, NotFound),
)
def list_deliveries_of_endpoint(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    endpoint_id: UUID,
    state: State = None,
    event: Kind = None,
    job_id: Of = None,
    campaign_id: Of = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    with desk.sessions() as session:
        endpoints.shown(session, tenant_id, endpoint_id)
    wanted = Filter(endpoint_id, state, event, job_id, campaign_id)
    return _page(request, desk, tenant_id, wanted, cursor, limit)


@router.get(
    "/webhook-deliveries/{delivery_id}",
    response_model=hook_schemas.DeliveryLog,
    summary="One webhook: its payload, and every answer",
    responses=documented(NotFound),
)
def get_delivery(desk: TheDesk, tenant_id: TenantId, delivery_id: UUID) -> Response:
    with desk.sessions() as session:
        row = delivery_log.one(session, tenant_id, delivery_id)
        attempts = delivery_log.attempts(session, delivery_id)
    return reply(hook_schemas.log_shown(row, attempts), 200, UNCACHED)


@router.post(
    "/webhook-deliveries/{delivery_id}/replay",
    response_model=hook_schemas.DeliveryShown,
    summary="Send one webhook again",
    responses=documented(NotFound, EndpointDisabled),
)
def replay_delivery(desk: TheDesk, tenant_id: TenantId, delivery_id: UUID) -> Response:
    """Under its old `webhook-id`, with ten attempts more."""
    with desk.sessions.begin() as session:
        replays.replay_delivery(session, tenant_id, delivery_id)
        content = hook_schemas.delivery_shown(delivery_log.one(session, tenant_id, delivery_id))
    desk.tickets.deliver()
    return reply(content, 200, UNCACHED)


@router.post(
    "/webhook-endpoints/{endpoint_id}/replay",
    response_model=hook_schemas.Replayed,
    summary="Send again what one endpoint was sent in some time",
    responses=documented(NotFound, InvalidRequest, EndpointDisabled),
)
def replay_range(
    desk: TheDesk,
    tenant_id: TenantId,
    endpoint_id: UUID,
    since: Annotated[ZonedMoment, Query(description="RFC 3339, with its zone.")],
    until: Annotated[ZonedMoment | None, Query(description="Now, unless given.")] = None,
    state: Annotated[
        DeliveryState | None, Query(description="`failed`: only what was lost.")
    ] = None,
    dry_run: Annotated[bool, Query(description="Only count.")] = False,
) -> Response:
    """What is on its way is left alone; `webhook-id`s stay, so that receivers know copies."""
    with desk.sessions.begin() as session:
        its = endpoints.get(session, tenant_id, endpoint_id)
        count = replays.replay_range(
            session, its, since=since, until=until, state=state, dry_run=dry_run
        )
    if count and not dry_run:
        desk.tickets.deliver()
    return reply(hook_schemas.Replayed(count=count, dry_run=dry_run), 200, UNCACHED)


def _page(
    request: Request,
    desk: Desk,
    tenant_id: UUID,
    wanted: Filter,
    cursor: str | None,
    limit: int,
) -> Response:
    pages = Pages(f"deliveries/{tenant_id}/{wanted.endpoint_id}", desk.settings.secret_key)
    before = pages.last(cursor)
    with desk.sessions() as session:
        rows = delivery_log.page(session, tenant_id, wanted, before=before, limit=limit + 1)
    rows, following = pages.cut(rows, limit)
    return answer(request, Page, [hook_schemas.delivery_shown(row) for row in rows], following)
