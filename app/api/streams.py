"""Server-sent events: what happens to a job or a campaign, as it happens, resumable."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from app.api.deps import KEYED, TenantId, TheDesk, TheListener
from app.api.problems import documented
from app.bell import LOOK_AGAIN, Listener
from app.db import watching
from app.db.watching import Seen
from app.domain.job import JobStatus
from app.errors import LastEventIdInvalid, NotFound

HEARTBEAT: Final = 15.0  #: seconds of silence after which a comment says that we are here
CALM: Final = 1.0  #: seconds between two events of a campaign; what came in between is one
RETRY: Final = "retry: 3000\n\n"  #: milliseconds after which a browser comes back
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that collects events is none for events
}

#: Reads what has happened since a place: the events behind it, and whether that was the end.
Reader = Callable[[int], Seen]

LastEventId = Annotated[
    str | None,
    Header(
        description="The `id` of the last event that you have; go on behind it.",
        json_schema_extra={"pattern": "^[0-9]{0,9}$"},
    ),
]

router = APIRouter(tags=["events"], **KEYED)


class JobEvent(BaseModel):
    """What a job's events carry."""

    job_id: UUID
    status: JobStatus
    attempt: int
    at: AwareDatetime
    sequence: int = Field(description="Counts from 1, as `id` does.")


class CampaignEvent(BaseModel):
    """What a campaign's events carry: its counts as they are now."""

    campaign_id: UUID
    status: Literal["running", "paused", "finished"]
    total: int
    succeeded: int
    failed: int
    canceled: int
    rejected: int
    expired: int
    in_review: int
    left: int = Field(description="That have not ended.")
    cost_micros: int


def _responses(payload: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The schema is one event's; OpenAPI 3.2 will call it `itemSchema`."""
    shape = payload.model_json_schema(ref_template="#/components/schemas/{model}")
    shape.pop("$defs", None)
    event = {
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]{1,9}$"},
            "event": {"type": "string"},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": shape,
            },
        },
    }
    return {
        200: {
            "description": "Events until the end, which closes the stream.",
            "content": {"text/event-stream": {"schema": event}},
        },
        204: {"description": "You have the last one: nothing more will come."},
        **documented(NotFound, LastEventIdInvalid),
    }


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=Response,
    summary="What happens to a job, as it happens",
    responses=_responses(JobEvent),
)
async def stream_job(
    desk: TheDesk,
    tenant_id: TenantId,
    listener: TheListener,
    job_id: UUID,
    last_event_id: LastEventId = None,
) -> Response:
    """
    An event for every change of its status (`job.queued`, `job.running`, `job.succeeded` ...),
    from the first one, or from behind `Last-Event-ID`. `id` is `data.sequence`, which grows, and
    not by one: the number that the webhook of the same change carries.
    """

    def read(after: int) -> Seen:
        with desk.sessions() as session:
            return watching.job(session, tenant_id, job_id, after)

    return await _stream(read, _place(last_event_id), _Ears(listener, job_id, pause=0.0))


@router.get(
    "/v1/campaigns/{campaign_id}/events",
    response_class=Response,
    summary="How a campaign gets on, as it does",
    responses=_responses(CampaignEvent),
)
async def stream_campaign(
    desk: TheDesk,
    tenant_id: TenantId,
    listener: TheListener,
    campaign_id: UUID,
    last_event_id: LastEventId = None,
) -> Response:
    """
    `campaign.progress` with its counts and its cost whenever they have changed, at most once a
    second, and `campaign.completed` at the end. `id` is `data.sequence`, which grows, and not by
    one; of the end it is the number that its webhook carries.
    """

    def read(after: int) -> Seen:
        with desk.sessions() as session:
            return watching.campaign(session, tenant_id, campaign_id, after)

    return await _stream(read, _place(last_event_id), _Ears(listener, campaign_id, pause=CALM))


@dataclass(frozen=True)
class _Ears:
    """How to hear that something may have changed."""

    listener: Listener
    about: UUID
    pause: float  #: seconds between two looks, at least


async def _stream(read: Reader, place: int, ears: _Ears) -> Response:
    """Raises `NotFound` or `LastEventIdInvalid` before the stream begins."""
    first = await run_in_threadpool(read, place)
    if place > first.place:
        raise LastEventIdInvalid(f"The last event has the id {first.place}.")
    if first.over and not first.events:
        return Response(status_code=204)  # a browser that comes back stops at this one
    return StreamingResponse(_events(read, first, ears), 200, HEADERS, "text/event-stream")


async def _events(read: Reader, seen: Seen, ears: _Ears) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    yield RETRY + "".join(_written(seen.events))
    spoke = clock()
    with ears.listener.hearing(ears.about) as rung:
        while not seen.over:
            with suppress(asyncio.TimeoutError):  # rings can be lost
                await asyncio.wait_for(rung.wait(), LOOK_AGAIN)
            await asyncio.sleep(ears.pause)
            rung.clear()
            seen = await run_in_threadpool(read, seen.place)
            if seen.events:
                yield "".join(_written(seen.events))
                spoke = clock()
            elif clock() - spoke >= HEARTBEAT:
                yield ": still here\n\n"
                spoke = clock()


def _written(events: Sequence[watching.Event]) -> Iterator[str]:
    for event in events:
        data = json.dumps(event.data, ensure_ascii=False)
        yield f"id: {event.place}\nevent: {event.name}\ndata: {data}\n\n"


def _place(given: str | None) -> int:
    """Where to go on; 0: from the beginning. Raises `LastEventIdInvalid`."""
    if given is None or not given.strip():
        return 0
    text = given.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise LastEventIdInvalid("Last-Event-ID: the `id` of an event of this stream.")
    return int(text)
