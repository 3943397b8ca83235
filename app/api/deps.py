"""What routes ask for: the desk, the caller, pages, and how long to wait."""

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, NotRequired, TypedDict, cast
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.responses import Response

from app.api.idempotency import HEADER, Once, once
from app.api.keyring import Caller, Keyring
from app.api.polls import Polls
from app.api.problems import documented
from app.api.turnstile import Stamps, Turnstile
from app.bell import Listener
from app.domain.scopes import Scope, needed
from app.errors import InsufficientScope, QuotaExceeded, Unauthorized
from app.logs import tell_of
from app.submission import Desk

LONGEST_WAIT = 60.0  #: seconds that one request may wait for its job


class State(TypedDict):
    """What the lifespan hands to every request, and what a request carries itself."""

    desk: Desk
    listener: Listener
    keyring: Keyring
    turnstile: Turnstile | None  #: None where nothing is metered
    polls: Polls
    request_id: NotRequired[str]
    caller: NotRequired[Caller]
    stamps: NotRequired[Stamps]  #: headers for whatever the answer is
    once: NotRequired[Once]


@asynccontextmanager
async def opened(desk: Desk, broker_url: str) -> AsyncIterator[State]:
    """What every request gets, for as long as an event loop serves."""
    keyring = Keyring(desk.sessions, desk.admission.waiting)
    turnstile = Turnstile(desk.meter) if desk.meter else None
    polls = Polls(desk)
    async with Listener(broker_url) as listener:
        yield {
            "desk": desk,
            "listener": listener,
            "keyring": keyring,
            "turnstile": turnstile,
            "polls": polls,
        }
    await polls.close()
    if turnstile:
        await turnstile.close()
    await keyring.close()


async def admit(state: State, headers: Headers, scope: Scope) -> Caller:
    """
    Who is asking, if it may; a request is counted once, however many doors it passes.

    Raises `Unauthorized`, `QuotaExceeded` and `InsufficientScope`.
    """
    caller = state.get("caller") or await _come_in(state, headers)
    if scope not in caller.scopes:
        raise InsufficientScope(
            f"This needs a key with the scope {scope.value!r}; yours has "
            f"{', '.join(sorted(caller.scopes)) or 'none'}.",
            needed=scope.value,
        )
    return caller


async def _come_in(state: State, headers: Headers) -> Caller:
    desk, turnstile = state["desk"], state["turnstile"]
    caller, news = await state["keyring"].caller(headers)
    if desk.meter and news:
        desk.meter.know(caller.tenant_id, caller.quotas)
        desk.meter.note(caller.tenant_id, caller.waiting)
    if turnstile:
        stamps = state["stamps"] = []
        await turnstile.count(caller.tenant_id, stamps)
    state["caller"] = caller
    tell_of(tenant_id=caller.tenant_id)
    return caller


class KeyedRoute(APIRoute):
    """A route that asks for the key before it reads a byte of the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        scope = self._scope()

        async def keyed(request: Request) -> Response:
            caller = await admit(state_of(request), request.headers, scope)
            if "POST" in (self.methods or ()) and HEADER in request.headers:
                return await once(request, caller.tenant_id, strict)
            return await strict(request)

        async def strict(request: Request) -> Response:
            return await answer(_Strict(request.scope, request.receive))

        return keyed

    def _scope(self) -> Scope:
        """What its key must be allowed: by method and tags, unless the route `takes` another."""
        said = self.openapi_extra or {}
        if "x-scope" in said:
            scope = Scope(said["x-scope"])
        else:
            scope = needed(min(self.methods or ["GET"]), map(str, self.tags))
        sentence = f"Needs a key with the scope `{scope.value}`."
        if sentence not in self.description:
            self.description = f"{self.description}\n\n{sentence}".strip()
        self.openapi_extra = {**said, "x-scope": scope.value}
        return scope


def takes(scope: Scope) -> dict[str, Any]:
    """`openapi_extra=takes(Scope.ADMIN)`: another scope than method and tags would say."""
    return {"x-scope": scope.value}


class _Strict(Request):
    """JSON as RFC 8259 has it: no NaN, no half surrogates, no towers of brackets."""

    async def json(self) -> Any:
        return from_json(await self.body(), allow_inf_nan=False)


def preferred_wait(prefer: str) -> float | None:
    """Seconds of `Prefer: wait=N`, at most `LONGEST_WAIT`; preferences we do not know are none."""
    for preference in prefer.split(","):
        if match := re.fullmatch(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", preference.lower()):
            return min(float(match[1]), LONGEST_WAIT)
    return None


# Getters are `async`: a plain `def` would cost each of them a trip through the thread pool.
async def _desk(request: Request) -> Desk:
    state = state_of(request)
    caller = getattr(request.state, "caller", None)  # of keyed routes; links have none
    return state["desk"] if caller is None else replace(state["desk"], principal=caller.prefix)


async def _listener(request: Request) -> Listener:
    return state_of(request)["listener"]


async def _tenant(request: Request) -> UUID:
    return state_of(request)["caller"].tenant_id


async def _once(request: Request) -> Once | None:
    return getattr(request.state, "once", None)


async def _principal(request: Request) -> str:
    """Only after `KeyedRoute`: the key has been found good by then."""
    return state_of(request)["caller"].actor


def state_of(request: Request) -> State:
    """What the lifespan handed to a request, and what it carries itself."""
    return cast(State, request.scope["state"])


TheDesk = Annotated[Desk, Depends(_desk)]
TheListener = Annotated[Listener, Depends(_listener)]
TenantId = Annotated[UUID, Depends(_tenant)]
TheOnce = Annotated[Once | None, Depends(_once)]
Principal = Annotated[str, Depends(_principal)]  #: who acts: `key:` and the key's prefix
Cursor = Annotated[
    str | None, Query(max_length=100, description="`next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=200)]
IfNoneMatch = Annotated[str | None, Header(description="An `ETag`: 304 unless it changed.")]
Prefer = Annotated[
    str,
    Header(
        description="`wait=N`: answer when the job has ended, or after N seconds (at most 60)."
        " `respond-async`: answer at once, as without this header."
    ),
]

#: How OpenAPI tells of the key; `KeyedRoute` is what asks for it.
KEYED: dict[str, Any] = {
    "route_class": KeyedRoute,
    "dependencies": [
        Security(HTTPBearer(auto_error=False, description="An API key: `imp_...`.")),
        Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
    ],
    "responses": documented(Unauthorized, InsufficientScope, QuotaExceeded),
}
