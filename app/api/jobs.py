"""Single pictures: hand one in, ask how it is, wait for it, withdraw it."""

from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import examples, job_answer, schemas
from app.api.deadline import CancelAfterHeader, with_deadline
from app.api.deps import (
    KEYED,
    Cursor,
    IfNoneMatch,
    Limit,
    Prefer,
    TenantId,
    TheDesk,
    TheListener,
    TheOnce,
    preferred_wait,
)
from app.api.orders import FORM, Order, read_order
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.shown import job_shown
from app.db import events, jobs, reading
from app.db.licences import UNLICENSED
from app.domain.job import JobStatus
from app.errors import (
    BadRequest,
    BodyTooLarge,
    IllegalTransition,
    ImageTooLarge,
    InvalidImage,
    InvalidRequest,
    InvalidTags,
    NoStylePicture,
    NotFound,
    NotOffered,
    Overloaded,
    PresetRetired,
    QueueFull,
    QuotaExceeded,
    RenditionTooLarge,
    ServiceUnavailable,
    SourceForbidden,
    UnknownPreset,
    UnknownStyle,
    UnknownUpload,
)
from app.submission import Desk, accept_input, accept_picture

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], **KEYED)

BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/JobRequest"},
                "examples": examples.JOB_REQUESTS,
            },
            "multipart/form-data": {
                "schema": FORM,
                "example": {"content": "(the file)", "style": "great-wave", "strength": 0.8},
            },
        },
    }
}


@router.post(
    "",
    status_code=202,
    response_model=schemas.Job,
    summary="Hand in a picture",
    openapi_extra=BODY,
    responses={
        200: {"model": schemas.Job, "description": "It ended within `Prefer: wait`."},
        **documented(
            *(BadRequest, BodyTooLarge, InvalidRequest, InvalidImage, ImageTooLarge),
            *(UnknownStyle, UnknownUpload, SourceForbidden, ServiceUnavailable),
            *(UnknownPreset, PresetRetired, RenditionTooLarge),
            *(NotOffered, NoStylePicture, InvalidTags),
            *UNLICENSED,
            *(QuotaExceeded, QueueFull, Overloaded),
        ),
    },
)
async def create_job(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    listener: TheListener,
    once: TheOnce,
    cancel_after: CancelAfterHeader = None,
    prefer: Prefer = "",
) -> Response:
    """
    `Location` names the job; it is accepted for good, and nothing is kept of a refused one.

    With `Prefer: wait=N` the answer waits for the end of the job.
    """
    order = await read_order(request)
    order = replace(order, options=with_deadline(order.options, cancel_after))
    job_id = await run_in_threadpool(_accept, desk, tenant_id, order)
    if once is not None and preferred_wait(prefer):  # nobody works on it before the COMMIT
        accepted = await run_in_threadpool(job_answer.shown, desk, tenant_id, job_id, pending=202)
        await run_in_threadpool(once.keep, accepted)
        desk = once.desk
    return await job_answer.answer(desk, listener, tenant_id, job_id, prefer, pending=202)


@router.get(
    "/{job_id}",
    response_model=schemas.Job,
    summary="How a job is",
    responses={304: {"description": "Nothing has changed."}, **documented(NotFound)},
)
async def get_job(
    desk: TheDesk,
    tenant_id: TenantId,
    listener: TheListener,
    job_id: UUID,
    if_none_match: IfNoneMatch = None,
    prefer: Prefer = "",
) -> Response:
    """Poll with `If-None-Match`, at the pace of `Retry-After`; or wait with `Prefer: wait=N`."""
    return await job_answer.answer(desk, listener, tenant_id, job_id, prefer, if_none_match)


@router.post(
    "/{job_id}/cancel",
    response_model=schemas.Job,
    summary="Withdraw a job",
    responses=documented(NotFound, IllegalTransition),
)
def cancel_job(desk: TheDesk, tenant_id: TenantId, job_id: UUID) -> Response:
    """Also while it runs: what its worker still brings is refused."""
    with desk.sessions.begin() as session:
        jobs.cancel(session, tenant_id, job_id)
        told = events.written(session)
    if told:
        desk.tickets.deliver()
    return job_answer.shown(desk, tenant_id, job_id)


@router.get(
    "",
    response_model=schemas.Page[schemas.Job],
    summary="Your jobs, newest first",
    responses=documented(BadRequest, InvalidRequest),
)
def list_jobs(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    status: Annotated[JobStatus | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Jobs of campaigns included; `status` keeps those that are in it now."""
    pages = Pages(f"jobs/{tenant_id}", desk.settings.secret_key)
    before = pages.last(cursor)
    with desk.sessions() as session:
        rows = reading.jobs(session, tenant_id, before=before, status=status, limit=limit + 1)
    rows, following = pages.cut(rows, limit)
    data = [job_shown(desk.settings, row) for row in rows]
    return answer(request, schemas.Page[schemas.Job], data, following)


def _accept(desk: Desk, tenant_id: UUID, order: Order) -> UUID:
    if isinstance(order.picture, bytes):
        return accept_picture(desk, tenant_id, order.options, order.picture, order.mask)
    return accept_input(desk, tenant_id, order.options, order.picture)
