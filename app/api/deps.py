"""What routes ask for: the desk, the caller's tenant, pages, and how long to wait."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any, NotRequired, TypedDict, cast
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic_core import from_json
from starlette.responses import Response

from app.api.idempotency import HEADER, Once, once
from app.api.keyring import Keyring, principal
from app.api.problems import documented
from app.bell import Listener
from app.errors import Unauthorized
from app.submission import Desk

LONGEST_WAIT = 60.0  #: seconds that one request may wait for its job


class State(TypedDict):
    """What the lifespan hands to every request, and what a request carries itself."""

    desk: Desk
    listener: Listener
    keyring: Keyring
    request_id: NotRequired[str]
    tenant_id: NotRequired[UUID]
    principal: NotRequired[str]
    once: NotRequired[Once]


class KeyedRoute(APIRoute):
    """A route that asks for the key before it reads a byte of the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def keyed(request: Request) -> Response:
            state = _state(request)
            state["tenant_id"] = await state["keyring"].tenant(request.headers)
            state["principal"] = principal(request.headers)
            if "POST" in (self.methods or ()) and HEADER in request.headers:
                return await once(request, state["tenant_id"], strict)
            return await strict(request)

        async def strict(request: Request) -> Response:
            return await answer(_Strict(request.scope, request.receive))

        return keyed


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
    state = _state(request)
    whose = getattr(request.state, "principal", None)  # of keyed routes; links have none
    return state["desk"] if whose is None else replace(state["desk"], principal=whose)


async def _listener(request: Request) -> Listener:
    return _state(request)["listener"]


async def _keyring(request: Request) -> Keyring:
    return _state(request)["keyring"]


async def _tenant(request: Request) -> UUID:
    return _state(request)["tenant_id"]


async def _once(request: Request) -> Once | None:
    return getattr(request.state, "once", None)


async def _principal(request: Request) -> str:
    """Only after `KeyedRoute`: the key has been found good by then."""
    return f"key:{_state(request)['principal']}"


def _state(request: Request) -> State:
    return cast(State, request.state)  # FastAPI does not take Request[State] for a parameter


TheDesk = Annotated[Desk, Depends(_desk)]
TheListener = Annotated[Listener, Depends(_listener)]
TheKeyring = Annotated[Keyring, Depends(_keyring)]
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
    "responses": documented(Unauthorized),
}
