"""The answer that tells of a job, whoever asked; and waiting for one that has ended."""

import asyncio
from contextlib import suppress
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.deps import preferred_wait
from app.api.replies import not_modified, reply, unchanged
from app.api.shown import job_shown
from app.api.validators import job_headers
from app.bell import LOOK_AGAIN, Listener
from app.db import reading, states
from app.db.states import JobState
from app.errors import NotFound
from app.submission import Desk


async def answer(
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
        found = states.jobs(session, [job_id])
    if not found or found[0].tenant_id != tenant_id:
        raise NotFound(f"There is no job {job_id}.")
    return found[0].status.open  # a reviewer may take days: nobody waits for one


def shown(
    desk: Desk,
    tenant_id: UUID,
    job_id: UUID,
    if_none_match: str | None = None,
    *,
    pending: int = 200,
) -> Response:
    """The job as it is, or 304; `pending` is the status until it has ended."""
    with desk.sessions() as session:
        row = reading.job(session, tenant_id, job_id)
        forecast = desk.outlook.of_job(session, desk.settings, row.Job, row.now)
    its = JobState.of(row.Job, row.now)
    headers = dict(job_headers(desk.settings, its, forecast.seconds))
    if unchanged(if_none_match, headers["ETag"]):
        return not_modified(headers)
    content = job_shown(desk.settings, row, forecast)
    if pending == 202:
        headers["Location"] = content.urls.get
    return reply(content, 200 if its.status.final else pending, headers)
