"""Listings in pages: cursors that invite nobody to build one, and the answer they stand in."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest, digest
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, SecretStr
from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import Response

from app.api.replies import UNCACHED, reply
from app.api.schemas import Page
from app.errors import BadRequest

TAG_BYTES = 8

Item = TypeVar("Item", bound=BaseModel)


@dataclass(frozen=True)
class Pages:
    """The pages of one listing; its cursors open no other one."""

    listing: str  #: a path, with whatever else decides what is listed
    secret: SecretStr

    def cursor(self, last: UUID) -> str:
        return urlsafe_b64encode(last.bytes + self._tag(last.bytes)).decode()

    def key_cursor(self, last: str) -> str:
        """For listings in the order of something other than ids."""
        content = last.encode()
        return urlsafe_b64encode(self._tag(content) + content).decode()

    def last_key(self, cursor: str | None) -> str | None:
        """The key behind which to go on. Raises as `last`."""
        if cursor is None:
            return None
        try:
            sealed = urlsafe_b64decode(cursor)
        except (Base64Error, ValueError):
            raise BadRequest("That is not a cursor of this listing.") from None
        tag, content = sealed[:TAG_BYTES], sealed[TAG_BYTES:]
        if not compare_digest(tag, self._tag(content)):
            raise BadRequest("That is not a cursor of this listing.")
        return content.decode()

    def last(self, cursor: str | None) -> UUID | None:
        """The row behind which to go on. Raises `BadRequest` for what is not our cursor."""
        if cursor is None:
            return None
        try:
            content = urlsafe_b64decode(cursor)
            last, tag = UUID(bytes=content[:16]), content[16:]
        except (Base64Error, ValueError):
            raise BadRequest("That is not a cursor of this listing.") from None
        if not compare_digest(tag, self._tag(last.bytes)):
            raise BadRequest("That is not a cursor of this listing.")
        return last

    def cut(self, rows: Sequence[Row[Any]], limit: int) -> tuple[Sequence[Row[Any]], str | None]:
        """Up to `limit` of the rows, and the cursor if there are more."""
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], self.cursor(rows[limit - 1][0].id)

    def _tag(self, last: bytes) -> bytes:
        content = b"%b\n%b" % (self.listing.encode(), last)
        return digest(self.secret.get_secret_value().encode(), content, "sha256")[:TAG_BYTES]


def answer(
    request: Request, kind: type[Page[Item]], data: list[Item], following: str | None
) -> Response:
    """One page; the cursor behind it stands in the body and in `Link`."""
    page = kind(data=data, has_more=following is not None, next_cursor=following)
    return reply(page, 200, {**UNCACHED, **_next_link(request, following)})


def _next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """`Link: <...>; rel="next"`, as a header or none."""
    if cursor is None:
        return {}
    query = dict(request.query_params) | {"cursor": cursor}
    return {"Link": f'<{request.url.path}?{urlencode(query)}>; rel="next"'}
