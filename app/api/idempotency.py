"""
Requests that may be repeated, by draft-ietf-httpapi-idempotency-key-header.

The work and the answer to be given again are one transaction: what a route does through its desk
joins it, and tickets leave after its COMMIT. No route has to know.
"""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import Any, Final
from uuid import UUID

import anyio
from python_multipart.multipart import parse_options_header
from sqlalchemy import Connection
from sqlalchemy.orm import sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from app.api.replies import Secret
from app.db import idempotency
from app.db.idempotency import Answer
from app.domain.job import Lane
from app.errors import IdempotencyInFlight, IdempotencyKeyInvalid, IdempotencyKeyReused
from app.queue import Tickets
from app.submission import Desk

HEADER: Final = "idempotency-key"
REPLAYED: Final = "Idempotent-Replayed"  #: on an answer that was given before
_BARE: Final = r"[\x21\x23-\x7e][\x21-\x7e]{0,254}"
_TOKEN: Final = re.compile(_BARE)
_STRING: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')

PARAMETER: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 257,
        "pattern": f"^(?:{_STRING.pattern}|{_BARE})$",
    },
    "description": "A name of your making for this request. Who repeats it within 24 hours gets"
    " the first answer again, with `Idempotent-Replayed: true`, and nothing is done twice.",
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}

#: What a key may be refused for.
KINDS: Final = (IdempotencyKeyInvalid, IdempotencyInFlight, IdempotencyKeyReused)

IN_MEMORY: Final = 2**20  #: bytes of a body; the rest waits in a file
CHUNK: Final = 2**16


class Once:
    """One request under a key: everything it writes, and its answer, in one transaction."""

    def __init__(self, desk: Desk, tenant_id: UUID, key: str, fingerprint: str) -> None:
        self._real = desk
        self._named = (tenant_id, key, fingerprint)
        self._connection: Connection = desk.sessions.kw["bind"].connect()
        self._transaction = self._connection.begin()
        self._sessions = sessionmaker(
            self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        self._tickets = _Kept()
        self.over = False

    @property
    def desk(self) -> Desk:
        """For the route: its transactions are parts of ours until the answer is kept."""
        if self.over:
            return self._real
        return replace(self._real, sessions=self._sessions, tickets=self._tickets)

    def before(self) -> Answer | None:
        """What this request was answered before; None where it is the first. Raises as `find`."""
        with self._sessions.begin() as session:  # rolled back, its savepoint would drop the lock
            return idempotency.find(session, *self._named)

    def keep(self, response: Response) -> None:
        """Commit the work with the answer to it; then the tickets that it asked for."""
        headers = {k: v for k, v in response.headers.items() if k != "content-length"}
        with self._sessions.begin() as session:
            body = response.kept if isinstance(response, Secret) else bytes(response.body)
            answer = Answer(response.status_code, headers, body)
            idempotency.keep(session, *self._named, answer)
        self._transaction.commit()
        self.over = True
        self._tickets.send(self._real.tickets)

    def close(self) -> None:
        """Without an answer, nothing was done."""
        self._transaction.close()
        self._connection.close()


async def once(
    request: Request, tenant_id: UUID, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    """
    Answer a request that carries a key: carry it out, or say again what was said.

    Raises `IdempotencyKeyInvalid`, `IdempotencyInFlight`, `IdempotencyKeyReused`, and what the
    route raises: an error is not kept, and the same key may be tried again.
    """
    key = named(request.headers[HEADER])
    with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
        fingerprint = await _read(request, body)
        its = await run_in_threadpool(Once, request.state.desk, tenant_id, key, fingerprint)
        try:
            if known := await run_in_threadpool(its.before):
                return Response(known.body, known.status, {**known.headers, REPLAYED: "true"})
            request.state.once, request.state.desk = its, its.desk
            response = await answer(Request(request.scope, _again(body, request.receive)))
            if not its.over:
                await run_in_threadpool(its.keep, response)
            return response
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(its.close)


def named(value: str) -> str:
    """The key of a header, a structured-field string or bare. Raises `IdempotencyKeyInvalid`."""
    text = value.strip()
    if quoted := _STRING.fullmatch(text):
        return quoted[1].replace('\\"', '"').replace("\\\\", "\\")
    if _TOKEN.fullmatch(text):
        return text
    raise IdempotencyKeyInvalid("Idempotency-Key: 1 to 255 printable ASCII characters.")


async def _read(request: Request, body: SpooledTemporaryFile[bytes]) -> str:
    """Put the body aside, whatever its size; answers with the fingerprint of the request."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    seen = _Fingerprint(options.get(b"boundary", b""))
    about = (request.method, request.url.path, request.url.query, kind.decode("latin-1"))
    asked = request.headers.get("cancel-after", "")  # a field of the body by another way
    seen.add(json.dumps((*about, asked)).encode())
    async for chunk in request.stream():
        seen.add(chunk)
        body.write(chunk)
    return seen.hexdigest()


class _Fingerprint:
    """SHA-256 of a stream without its multipart boundary, which every sender draws anew."""

    def __init__(self, boundary: bytes) -> None:
        self._hash, self._boundary, self._tail = sha256(), boundary, b""

    def add(self, chunk: bytes) -> None:
        if not self._boundary:
            self._hash.update(chunk)
            return
        text = (self._tail + chunk).replace(self._boundary, b"")
        kept = max(0, len(text) - len(self._boundary) + 1)  # may be the start of another one
        self._hash.update(text[:kept])
        self._tail = text[kept:]

    def hexdigest(self) -> str:
        self._hash.update(self._tail)
        return self._hash.hexdigest()


def _again(body: SpooledTemporaryFile[bytes], receive: Receive) -> Receive:
    """The body from the beginning, then whatever the caller does next."""
    size = body.tell()
    body.seek(0)
    told = False

    async def read() -> Message:
        nonlocal told
        if told:
            return await receive()
        chunk = body.read(CHUNK)
        told = body.tell() >= size
        return {"type": "http.request", "body": chunk, "more_body": not told}

    return read


class _Kept:
    """Tickets that wait for a COMMIT."""

    def __init__(self) -> None:
        self._asked: list[Callable[[Tickets], None]] = []

    def work(self, lane: Lane, tickets: int = 1) -> None:
        self._asked.append(lambda real: real.work(lane, tickets))

    def deliver(self) -> None:
        self._asked.append(lambda real: real.deliver())

    def send(self, real: Tickets) -> None:
        for ask in self._asked:
            ask(real)
