"""Whose key this is, asked of the database once a second and not once a request."""

from hashlib import sha256
from time import monotonic
from typing import Final
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from app.db import Sessions, keys
from app.errors import Unauthorized

SECONDS: Final = 1.0  #: how long a revoked key may still open the door
MOST: Final = 1_000  #: keys remembered at once


class Keyring:
    """
    Remembers valid keys for `SECONDS`; unknown ones are asked for each time.

    Lives on the event loop: no lock. A look-up costs a tenth of a bulk upload's time otherwise.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._known: dict[bytes, tuple[UUID, float]] = {}

    async def tenant(self, headers: Headers) -> UUID:
        """Whose key the request carries. Raises `Unauthorized`."""
        key = _key_in(headers)
        digest = sha256(key.encode()).digest()
        tenant_id, until = self._known.get(digest, (None, 0.0))
        if tenant_id is None or until < monotonic():
            self._known.pop(digest, None)
            tenant_id = await run_in_threadpool(self._ask, key)
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[digest] = tenant_id, monotonic() + SECONDS
        return tenant_id

    def _ask(self, key: str) -> UUID:
        with self._sessions() as session:
            return keys.tenant_of(session, key)


def principal(headers: Headers) -> str:
    """By which characters a person knows the key of a request; say so of valid keys only."""
    return _key_in(headers).removeprefix("imp_")[: keys.PREFIX]


def _key_in(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    if not key:
        raise Unauthorized("Send an API key: `Authorization: Bearer imp_...`.")
    return key
