"""Polls that find nothing new are answered before the application is asked."""

import re
from typing import Final, cast
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.deps import State, admit
from app.api.polls import Kind, Thing
from app.api.replies import not_modified, unchanged
from app.domain.scopes import needed

PLACE: Final = re.compile(
    r"/v1/(jobs|campaigns)/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
)
NEEDED: Final = {kind: needed("GET", [kind.value]) for kind in Kind}


class Peephole:
    """
    A layer inside the door, pure ASGI, for `GET` with `If-None-Match` of a job or a campaign.

    It says 304 or nothing: whatever else the answer is going to be, the route gives it. Who asks
    was let in by then, with the route's own `admit`, and is not asked again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            place = PLACE.fullmatch(scope["path"])
            if place is not None and await self._nothing_new(scope, receive, send, place):
                return
        await self._app(scope, receive, send)

    async def _nothing_new(
        self, scope: Scope, receive: Receive, send: Send, place: re.Match[str]
    ) -> bool:
        asked = Headers(scope=scope)
        tags = asked.get("if-none-match")
        if tags is None or "prefer" in asked:
            return False
        state, kind = cast(State, scope["state"]), Kind(place[1])
        caller = await admit(state, asked, NEEDED[kind])
        now = await state["polls"].headers(Thing(kind, UUID(place[2]), caller.tenant_id))
        if now is None or not unchanged(tags, now["ETag"]):
            return False
        await not_modified(now)(scope, receive, send)
        return True
