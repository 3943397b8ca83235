"""Whose key this is, asked of the database once a second and not once a request."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from app.db import Sessions, audit, keys
from app.domain.scopes import Scope
from app.errors import Unauthorized

log = logging.getLogger(__name__)

SECONDS: Final = 1.0  #: how long a revoked key may still open the door
MOST: Final = 1_000  #: keys remembered at once


@dataclass(frozen=True, slots=True)
class Caller:
    """Who came in, and what it may do."""

    tenant_id: UUID
    prefix: str  #: of its key
    scopes: frozenset[Scope]
    quotas: Mapping[str, int]  #: where they are not everybody's
    waiting: int = 0  #: pictures of its tenant's, when the key was looked up

    @property
    def actor(self) -> str:
        """How the audit log names it."""
        return audit.actor(self.prefix)


class Keyring:
    """
    Remembers valid keys for `SECONDS`; unknown ones are asked for each time.

    Lives on the event loop: no lock. A look-up costs a tenth of a bulk upload's time otherwise.
    """

    def __init__(self, sessions: Sessions, waiting: Callable[[Session, UUID], int]) -> None:
        """`waiting` says how many of a tenant's pictures wait."""
        self._sessions, self._waiting = sessions, waiting
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def caller(self, headers: Headers) -> tuple[Caller, bool]:
        """Who carries the key of a request, and whether that is news. Raises `Unauthorized`."""
        key = _key_in(headers)
        digest = sha256(key.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[1] >= monotonic():
            return known[0], False
        self._known.pop(digest, None)
        row, amount = await run_in_threadpool(self._ask, key)
        if row.idles:
            self._note(row.id)
        if len(self._known) >= MOST:
            self._known.clear()
        scopes = frozenset(map(Scope, row.scopes))
        caller = Caller(row.tenant_id, row.prefix, scopes, row.quotas, amount)
        self._known[digest] = caller, monotonic() + SECONDS
        return caller, True

    async def close(self) -> None:
        """Wait for what is being written down."""
        await asyncio.gather(*self._notes)

    def _ask(self, key: str) -> tuple[Row[Any], int]:
        with self._sessions() as session:
            row = keys.opened(session, key)
            return row, self._waiting(session, row.tenant_id)

    def _note(self, key_id: UUID) -> None:
        """Write down that a key is used, once a minute and beside the request."""
        task = asyncio.create_task(run_in_threadpool(self._write, key_id))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    def _write(self, key_id: UUID) -> None:
        try:
            with self._sessions.begin() as session:
                keys.used(session, key_id)
        except SQLAlchemyError as error:
            log.warning("the use of a key was not written down: %s", error)


def _key_in(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    if not key:
        raise Unauthorized("Send an API key: `Authorization: Bearer imp_...`.")
    return key
