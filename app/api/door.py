"""What every request passes: it gets an id, its body a limit, and its failure an answer."""

import re
from secrets import token_hex
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import answer
from app.errors import BodyTooLarge, ImpastoError

REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


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
        reply = _Reply(send, name)
        try:
            _check_promise(headers.get(b"content-length"), limit)
            await self._app(scope, _Meter(receive, limit), reply)
        except Exception as error:
            if reply.started:
                raise  # half an answer is out: the server closes the connection
            known = error if isinstance(error, ImpastoError) else _unexpected(error)
            response = answer(known, path=scope["path"], request_id=name.decode())
            await response(scope, receive, reply)


class _Meter:
    """Counts the bytes of a body, for clients that do not say how many will come."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise _too_large(self._limit)
        return message


class _Reply:
    """Puts the request's name on its answer, and ends connections whose body is unread."""

    def __init__(self, send: Send, name: bytes) -> None:
        self._send = send
        self._name = name
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = [
                *message["headers"],
                (b"x-request-id", self._name),
                (b"x-content-type-options", b"nosniff"),
            ]
            if message["status"] == BodyTooLarge.status:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)


def _name(given: bytes | None) -> bytes:
    """The caller's own name for the request, if it may stand in a log; else a new one."""
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return token_hex(8).encode()


def _check_promise(length: bytes | None, limit: int) -> None:
    if length is not None and length.isdigit() and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body may have up to {limit:,} bytes.", limit=limit)


def _unexpected(error: Exception) -> ImpastoError:
    broken = ImpastoError(type(error).__name__)
    broken.__cause__ = error
    return broken
