"""What every request passes: it gets an id, its body a limit, and its failure an answer."""

import re
from collections.abc import Mapping
from secrets import token_hex
from time import perf_counter
from typing import Any, Final

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics
from app.api.problems import answer, known
from app.errors import BodyTooLarge
from app.logs import about_only
from app.tracing import OFF, Kind, Span

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
DRAINED: Final = 64 * 1024  #: unread bytes that the server throws away to keep a connection
PROBES: Final = ("/livez", "/readyz")  #: asked every few seconds: no trace is worth it
LINGER: Final = 2.0  #: seconds that a caller who still sends has to notice our answer


class Door:
    """The outermost layer of the application, pure ASGI: bodies pass through as they stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        name = _name(headers.get(b"x-request-id"))
        scope["state"]["request_id"] = name.decode()
        limit = scope["state"]["desk"].settings.limits.body_bytes
        body = _Body(receive, limit, _promised(headers))
        reply = _Reply(send, name, body, scope["state"])
        start = perf_counter()
        tracer = scope["state"]["desk"].tracer if scope["path"] not in PROBES else OFF
        parent = headers.get(b"traceparent")
        with (
            about_only(request_id=name.decode()),
            tracer.span("HTTP", Kind.SERVER, parent=parent) as span,
        ):
            try:
                body.check()
                await self._app(scope, body, reply)
            except Exception as error:
                if reply.status:
                    raise  # half an answer is out: the server closes the connection
                response = answer(known(error), path=scope["path"], request_id=name.decode())
                await response(scope, receive, reply)
            finally:
                _count(scope, reply.status, perf_counter() - start)
                if tracer.on:
                    _trace(span, scope, reply.status)


class _Body:
    """Counts the bytes of a body, for clients that do not say how many will come."""

    def __init__(self, receive: Receive, limit: int, promised: int | None) -> None:
        self._receive = receive
        self._limit = limit
        self._promised = promised
        self._read = 0
        self._ended = promised == 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
            if self._read > self._limit:
                raise self._too_large()
        return message

    async def drain(self) -> None:
        """
        Throw away what still comes, until the caller hangs up or `LINGER` is over.

        A connection closed on unread bytes is reset, and takes the answer with it.
        """
        with anyio.move_on_after(LINGER):
            while not self._ended:
                message = await self._receive()
                self._ended = not message.get("more_body", False)

    def check(self) -> None:
        """Raise `BodyTooLarge` if the caller says so himself."""
        if self._promised is not None and self._promised > self._limit:
            raise self._too_large()

    @property
    def abandoned(self) -> bool:
        """Whether more is to come than is worth reading; without end, for all we know."""
        if self._ended:
            return False
        return self._promised is None or self._promised - self._read > DRAINED

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"A body may have up to {self._limit:,} bytes.", limit=self._limit)


class _Reply:
    """
    Puts the request's name and stamps on its answer; ends connections whose body is abandoned.
    """

    def __init__(self, send: Send, name: bytes, body: _Body, state: Mapping[str, Any]) -> None:
        self._send = send
        self._name = name
        self._body = body
        self._state = state
        self._lingers = False
        self.status = 0  #: 0: nothing is out yet

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [
                *message["headers"],
                (b"x-request-id", self._name),
                (b"x-content-type-options", b"nosniff"),
                *self._state.get("stamps", ()),
            ]
            if self._body.abandoned:
                self._lingers = True
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif self._lingers and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.drain()
            message = {"type": "http.response.body"}
        await self._send(message)


def _trace(span: Span, scope: Scope, status: int) -> None:
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.call(f"{scope['method']} {route}")
        span.tell({"http.request.method": scope["method"], "http.route": route})
    caller = scope["state"].get("caller")
    span.tell(
        {
            "http.response.status_code": status,
            "impasto.request_id": scope["state"]["request_id"],
            "impasto.tenant_id": None if caller is None else str(caller.tenant_id),
        }
    )
    if not 0 < status < 500:
        span.broke(str(status))


def _count(scope: Scope, status: int, seconds: float) -> None:
    """By the route as it is declared: a path may hold anything, a method too."""
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if route != "none" else "any"
    metrics.requests.labels(method, route, f"{status // 100}xx").observe(seconds)


def _name(given: bytes | None) -> bytes:
    """The caller's own name for the request, if it may stand in a log; else a new one."""
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return token_hex(8).encode()


def _promised(headers: Mapping[bytes, bytes]) -> int | None:
    """How many bytes will come; None: the caller does not say."""
    if b"transfer-encoding" in headers:
        return None
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else None
