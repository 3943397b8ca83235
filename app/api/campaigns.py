"""Many pictures under one name: hand them in together, follow them, withdraw the rest."""

from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import schemas
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
from app.api.replies import UNCACHED, not_modified, reply, unchanged
from app.api.shown import campaign_shown, job_shown
from app.db import audit, campaigns, events, jobs, reading
from app.db.licences import UNLICENSED
from app.db.models import Campaign
from app.db.reading import Progress
from app.domain.job import JobStatus, Lane
from app.domain.parameters import Parameters
from app.domain.requests import storable
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
    PresetRetired,
    ServiceUnavailable,
    SourceForbidden,
    UnknownPreset,
    UnknownStyle,
    UnknownUpload,
)
from app.outlook import NOTHING, Forecast, Waiting
from app.planning import lane_of
from app.submission import Desk

POLL_AFTER: Final = "2"  #: seconds

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
    return await run_in_threadpool(shown, desk, tenant_id, campaign_id, accepted=True)


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
    return shown(desk, tenant_id, campaign_id, if_none_match)


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
        data = _with_progress(desk, session, rows)
    return answer(request, schemas.Page[schemas.Campaign], data, following)


@router.get(
    "/{campaign_id}/items",
    response_model=schemas.Page[schemas.Job],
    summary="A campaign's jobs, in the order they were handed in",
    responses=documented(BadRequest, InvalidRequest, NotFound),
)
def list_items(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    campaign_id: UUID,
    status: Annotated[JobStatus | None, Query()] = None,
    custom_id_prefix: Annotated[str | None, Query(max_length=255)] = None,
    style: Annotated[
        str | None, Query(max_length=100, description="A name, with or without `@version`.")
    ] = None,
    error: Annotated[
        str | None, Query(max_length=64, description="A code of `GET /problems`.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """All that is given must hold. A mix is in every style that it mixes."""
    pages = Pages(f"items/{campaign_id}", desk.settings.secret_key)
    after = pages.last(cursor)
    words = {"custom_id_prefix": custom_id_prefix, "style": style, "error": error}
    more = reading.filtered(**{name: _storable(name, word) for name, word in words.items()})
    with desk.sessions() as session:
        campaigns.get(session, tenant_id, campaign_id)
        rows = reading.items(
            session, campaign_id, after=after, status=status, limit=limit + 1, more=more
        )
    rows, following = pages.cut(rows, limit)
    data = [job_shown(desk.settings, row) for row in rows]
    return answer(request, schemas.Page[schemas.Job], data, following)


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
    return shown(desk, tenant_id, campaign_id)


def shown(
    desk: Desk,
    tenant_id: UUID,
    campaign_id: UUID,
    if_none_match: str | None = None,
    *,
    accepted: bool = False,
) -> Response:
    with desk.sessions() as session:
        row = reading.campaign(session, tenant_id, campaign_id)
        [content] = _with_progress(desk, session, [row])
    # Running jobs are counted, not stored, so that the version alone does not tell all.
    etag = f'"{row.Campaign.version}-{content.counts.running}"'
    headers = {**UNCACHED, "ETag": etag}
    if content.status != "finished":
        headers["Retry-After"] = POLL_AFTER
    if unchanged(if_none_match, etag):
        return not_modified(headers)
    if accepted:
        headers["Location"] = content.urls.get
    return reply(content, 202 if accepted else 200, headers)


def _with_progress(desk: Desk, session: Session, rows: Any) -> list[schemas.Campaign]:
    """Campaigns as they are shown; only those that still run have their jobs counted."""
    ids = [row.Campaign.id for row in rows if row.Campaign.finished_at is None]
    progress = reading.progress(session, ids) if ids else {}
    over = Progress(running=0, pixels=0, worked=0, seconds=None)
    model = desk.outlook.model(session, desk.settings)
    shown = []
    for row in rows:
        its = progress.get(row.Campaign.id, over)
        forecast = _forecast(desk, session, row.Campaign, its)
        shown.append(campaign_shown(desk.settings, row, its, forecast, model))
    return shown


def _forecast(desk: Desk, session: Session, campaign: Campaign, its: Progress) -> Forecast:
    """When what is left of it will be done."""
    left = campaign.total - campaign.in_review - campaigns.ended(campaign)
    if not left or campaign.paused_at is not None:
        return NOTHING
    queued = max(0, left - its.running)
    return desk.outlook.of_many(
        session,
        desk.settings,
        Waiting(
            tenant_id=campaign.tenant_id,
            lane=lane_of(Lane.CAMPAIGN, Parameters.model_validate(campaign.parameters)),
            first=campaign.id,  # made before its jobs' ids, and those grow with time
            jobs=queued,
            pixels=queued * its.pixels / campaign.total,
        ),
    )


def _storable(name: str, word: str | None) -> str | None:
    """Raises `InvalidRequest` for what Postgres holds in no text."""
    try:
        return None if word is None else storable(word)
    except ValueError as error:
        reason = {"pointer": f"/{name}", "detail": str(error)}
        raise InvalidRequest(f"{name} {error}.", errors=[reason]) from error
