"""Many pictures under one name: hand them in together, follow them, withdraw the rest."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import campaign_answer, schemas
from app.api.deadline import CancelAfterHeader, with_deadline
from app.api.deps import (
    KEYED,
    Cursor,
    IfNoneMatch,
    Limit,
    Principal,
    TenantId,
    TheDesk,
)
from app.api.manifests import BODY, accept, ordered
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.db import audit, campaigns, events, jobs, reading
from app.db.licences import UNLICENSED
from app.errors import (
    BadRequest,
    BodyTooLarge,
    BudgetExceeded,
    IllegalTransition,
    ImageTooLarge,
    InvalidImage,
    InvalidManifest,
    InvalidRequest,
    InvalidTags,
    ManifestTooLong,
    NoStylePicture,
    NotFound,
    NotOffered,
    Overloaded,
    PresetRetired,
    QueueFull,
    QuotaExceeded,
    ServiceUnavailable,
    SourceForbidden,
    UnknownPreset,
    UnknownStyle,
    UnknownUpload,
)

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"], **KEYED)


@router.post(
    "",
    status_code=202,
    response_model=schemas.Campaign,
    summary="Hand in up to 1,000 pictures at once, or 50,000 by a manifest",
    openapi_extra=BODY,
    responses=documented(
        *(BadRequest, BodyTooLarge, InvalidRequest, InvalidImage, ImageTooLarge),
        *(UnknownStyle, UnknownUpload, ServiceUnavailable, NotOffered, NoStylePicture),
        *(UnknownPreset, PresetRetired),
        InvalidTags,
        BudgetExceeded,
        *UNLICENSED,
        *(InvalidManifest, ManifestTooLong, SourceForbidden),
        *(QuotaExceeded, QueueFull, Overloaded),
    ),
)
async def create_campaign(
    request: Request, desk: TheDesk, tenant_id: TenantId, cancel_after: CancelAfterHeader = None
) -> Response:
    """
    All styles are pinned to their versions now. What concerns all pictures refuses the whole;
    a picture that cannot be used becomes a failed job, and the others go on. A line of a manifest
    that cannot be used becomes no job: `manifest_errors` lists them.
    """
    async with ordered(request, desk) as order:
        order = replace(order, request=with_deadline(order.request, cancel_after))
        campaign_id = await run_in_threadpool(accept, desk, tenant_id, order)
    return await run_in_threadpool(
        campaign_answer.shown, desk, tenant_id, campaign_id, accepted=True
    )


@router.get(
    "/{campaign_id}",
    response_model=schemas.Campaign,
    summary="How a campaign is",
    responses={304: {"description": "Nothing has changed."}, **documented(NotFound)},
)
def get_campaign(
    desk: TheDesk, tenant_id: TenantId, campaign_id: UUID, if_none_match: IfNoneMatch = None
) -> Response:
    """Poll with `If-None-Match`, at the pace of `Retry-After`."""
    return campaign_answer.shown(desk, tenant_id, campaign_id, if_none_match)


@router.get(
    "",
    response_model=schemas.Page[schemas.Campaign],
    summary="Your campaigns, newest first",
    responses=documented(BadRequest, InvalidRequest),
)
def list_campaigns(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Response:
    pages = Pages(f"campaigns/{tenant_id}", desk.settings.secret_key)
    before = pages.last(cursor)
    with desk.sessions() as session:
        rows = reading.campaigns(session, tenant_id, before=before, limit=limit + 1)
        rows, following = pages.cut(rows, limit)
        data = campaign_answer.with_progress(desk, session, rows)
    return answer(request, schemas.Page[schemas.Campaign], data, following)


@router.post(
    "/{campaign_id}/cancel",
    response_model=schemas.Campaign,
    summary="Withdraw what is not finished of a campaign",
    responses=documented(NotFound, IllegalTransition),
)
def cancel_campaign(
    desk: TheDesk, tenant_id: TenantId, by: Principal, campaign_id: UUID
) -> Response:
    """Finished pictures stay, and stay yours; those that await review still do."""
    with desk.sessions.begin() as session:
        campaigns.steer(session, campaign_id)
        campaigns.unfinished(session, tenant_id, campaign_id)
        withdrawn = jobs.cancel_campaign(session, campaign_id)
        campaigns.note_cancel(session, campaign_id)
        audit.record(
            session,
            tenant_id,
            by=by,
            action="campaign.canceled",
            target=f"campaign:{campaign_id}",
            details={"jobs": withdrawn},
        )
        told = events.written(session)
    if told:
        desk.tickets.deliver()
    return campaign_answer.shown(desk, tenant_id, campaign_id)
