"""Single pictures: hand one in, ask how it is, wait for it, withdraw it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import examples, schemas
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
from app.api.links import window
from app.api.orders import FORM, Order, read_order
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.replies import UNCACHED, not_modified, reply, unchanged
from app.api.shown import job_shown
from app.bell import LOOK_AGAIN, Listener
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
    PresetRetired,
    RenditionTooLarge,
    ServiceUnavailable,
    SourceForbidden,
    UnknownPreset,
    UnknownStyle,
    UnknownUpload,
)
from app.submission import Desk, accept_input, accept_picture

POLL_AFTER: Final = "1"  #: seconds; what `Retry-After` says of a job that has not ended
REVIEWED_AFTER: Final = "60"  #: and of one that awaits review

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
        accepted = await run_in_threadpool(shown, desk, tenant_id, job_id, pending=202)
        await run_in_threadpool(once.keep, accepted)
        desk = once.desk
    return await _answer(desk, listener, tenant_id, job_id, prefer, pending=202)


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
    return await _answer(desk, listener, tenant_id, job_id, prefer, if_none_match)


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
    return shown(desk, tenant_id, job_id)


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


async def _answer(
    desk: Desk,
    listener: Listener,
    tenant_id: UUID,
    job_id: UUID,
    prefer: str,
    if_none_match: str | None = None,
    *,
    pending: int = 200,
) -> Response:
    wait = preferred_wait(prefer)
    if wait:
        await _ended(desk, listener, tenant_id, job_id, wait)
    response = await run_in_threadpool(
        shown, desk, tenant_id, job_id, if_none_match, pending=pending
    )
    if wait is not None:
        response.headers["Preference-Applied"] = f"wait={wait:.0f}"
    elif "respond-async" in prefer.lower():
        response.headers["Preference-Applied"] = "respond-async"
    return response


async def _ended(
    desk: Desk, listener: Listener, tenant_id: UUID, job_id: UUID, seconds: float
) -> None:
    """Return when the job has ended or awaits review, or after so many seconds."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    with listener.hearing(job_id) as rung:
        while await run_in_threadpool(_is_open, desk, tenant_id, job_id):
            left = deadline - clock()
            if left <= 0:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(rung.wait(), min(left, LOOK_AGAIN))
                return  # who rings has committed, and rings for what has ended only


def _is_open(desk: Desk, tenant_id: UUID, job_id: UUID) -> bool:
    with desk.sessions() as session:
        _, status = reading.job_state(session, tenant_id, job_id)
    return status.open  # a reviewer may take days: nobody waits for one


def shown(
    desk: Desk,
    tenant_id: UUID,
    job_id: UUID,
    if_none_match: str | None = None,
    *,
    pending: int = 200,
) -> Response:
    """The job, or 304 for the price of its version; `pending` is the status until it has ended."""
    with desk.sessions() as session:
        if if_none_match is not None:
            version, status = reading.job_state(session, tenant_id, job_id)
            headers = _headers(desk, version, status)
            if unchanged(if_none_match, headers["ETag"]):
                return not_modified(headers)
        row = reading.job(session, tenant_id, job_id)
        forecast = desk.outlook.of_job(session, desk.settings, row.Job)
    content = job_shown(desk.settings, row, forecast)
    headers = _headers(desk, row.Job.version, content.status)
    if pending == 202:
        headers["Location"] = content.urls.get
    return reply(content, 200 if content.status.final else pending, headers)


def _headers(desk: Desk, version: int, status: JobStatus) -> dict[str, str]:
    after = POLL_AFTER if status.open else REVIEWED_AFTER
    pace = {} if status.final else {"Retry-After": after}
    return {**UNCACHED, "ETag": f'"{version}-{window(desk.settings)}"', **pace}
