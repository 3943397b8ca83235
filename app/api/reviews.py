"""What waits for a reviewer: look at it, let it out or keep it in, alone or by the thousand."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import RedirectResponse, Response

from app.api import examples, job_answer, schemas
from app.api.assets import LOCKED, picture
from app.api.deps import KEYED, Cursor, Limit, Principal, TenantId, TheDesk, takes
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.replies import reply
from app.api.shown import review_shown
from app.db import audit, events, reading, reviews
from app.db.licences import UNLICENSED
from app.domain.parameters import OutputFormat
from app.domain.renditions import NAME
from app.domain.requests import Word
from app.domain.review import BulkVerdict, ReviewQuery, StyleName, Verdict
from app.domain.scopes import Scope
from app.errors import (
    BadRequest,
    Erased,
    IllegalTransition,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
)
from app.storage import asset_key

LOOK_SECONDS: Final = 300  #: how long the store's own address of an output opens

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], **KEYED)


@router.get(
    "",
    response_model=schemas.Page[schemas.Review],
    summary="What waits for a reviewer, oldest first",
    responses=documented(BadRequest, InvalidRequest),
    openapi_extra=takes(Scope.REVIEW),  # a key for reviewing alone must find its work
)
def list_reviews(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    campaign_id: Annotated[UUID | None, Query()] = None,
    custom_id_prefix: Annotated[Word | None, Query()] = None,
    style: Annotated[StyleName | None, Query()] = None,
    warning: Annotated[Literal["flat", "unchanged"] | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """All that is given must hold; the same words make the `query` of a decision in bulk."""
    pages = Pages(f"reviews/{tenant_id}", desk.settings.secret_key)
    query = ReviewQuery(
        campaign_id=campaign_id, custom_id_prefix=custom_id_prefix, style=style, warning=warning
    )
    with desk.sessions() as session:
        wanted = reviews.wanted(tenant_id, query, after=pages.last(cursor))
        rows = reading.reviews(session, wanted, limit=limit + 1)
    rows, following = pages.cut(rows, limit)
    data = [review_shown(desk.settings, row) for row in rows]
    return answer(request, schemas.Page[schemas.Review], data, following)


@router.post(
    "",
    response_model=schemas.BulkReview,
    summary="Decide on everything that a query finds",
    responses=documented(BadRequest, InvalidRequest),
)
def decide_all(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[BulkVerdict, Body(examples=[examples.BULK_VERDICT])],
) -> Response:
    """On all of them at once, or on none. With `dry_run` they are only counted."""
    with desk.sessions.begin() as session:
        if wanted.dry_run:
            count = reviews.count(session, tenant_id, wanted.query)
        else:
            count = reviews.decide_all(session, tenant_id, wanted.query, wanted, by=by)
            facts = {"decision": wanted.decision.value, "jobs": count}
            audit.record(session, tenant_id, by=by, action="jobs.reviewed", details=facts)
        told = events.written(session)
    if told:
        desk.tickets.deliver()
    return reply(schemas.BulkReview(decision=wanted.decision, dry_run=wanted.dry_run, count=count))


@router.post(
    "/{job_id}",
    response_model=schemas.Job,
    summary="Approve a job's output, or reject it",
    responses=documented(*(BadRequest, InvalidRequest, NotFound, IllegalTransition), *UNLICENSED),
)
def decide(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    job_id: UUID,
    wanted: Annotated[Verdict, Body(examples=[examples.VERDICT])],
) -> Response:
    """Once, and for good: a rejected output is kept, and delivered to nobody."""
    with desk.sessions.begin() as session:
        reviews.decide(session, tenant_id, job_id, wanted, by=by)
        about: dict[str, Any] = {
            "target": f"job:{job_id}",
            "details": {"decision": wanted.decision},
        }
        audit.record(session, tenant_id, by=by, action="job.reviewed", **about)
        told = events.written(session)
    if told:
        desk.tickets.deliver()
    return job_answer.shown(desk, tenant_id, job_id)


@router.get(
    "/{job_id}/output",
    summary="The picture that is to be decided on",
    response_class=Response,
    responses={
        200: {
            "description": "The picture.",
            "content": {f"image/{kind}": {} for kind in OutputFormat},
        },
        307: {"description": "Where the store has it, for five minutes."},
        **documented(InvalidRequest, NotFound, Erased, StorageUnavailable),
    },
    openapi_extra=takes(Scope.REVIEW),  # not for everybody who may look at jobs
)
def get_output(
    desk: TheDesk,
    tenant_id: TenantId,
    job_id: UUID,
    rendition: Annotated[
        str | None, Query(pattern=f"^{NAME}$", description="One of these, by name.")
    ] = None,
) -> Response:
    """Never from a cache before us, and of every job that has an output: reviewers look twice."""
    with desk.sessions() as session:
        asset = reviews.output(session, tenant_id, job_id, rendition)
    headers = {"Cache-Control": "private, no-store", **LOCKED}
    key = asset_key(tenant_id, asset.digest)
    place = desk.storage.url(key, media_type=asset.media_type, expires=LOOK_SECONDS)
    if place is not None:
        return RedirectResponse(place, 307, headers)
    return picture(desk, asset, headers)
