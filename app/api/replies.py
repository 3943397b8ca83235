"""Answers: a shape as JSON with the headers it travels under, and whether it changed at all."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response

UNCACHED: Mapping[str, str] = {"Cache-Control": "private, no-cache"}  #: ask us each time


def reply(
    content: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON, written once, by pydantic."""
    return Response(content.model_dump_json(), status, headers, "application/json")


class Secret(Response):
    """JSON that nobody may keep, we included: what is given again has no secret in it."""

    def __init__(self, content: BaseModel, status: int, *, without: str) -> None:
        body = content.model_dump_json()
        super().__init__(body, status, {"Cache-Control": "no-store"}, "application/json")
        self.kept = content.model_copy(update={without: None}).model_dump_json().encode()


def unchanged(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110, 13.1.2: weak comparison against a list; what is not an ETag matches nothing."""
    tags = (tag.strip() for tag in (if_none_match or "").split(","))
    return any(tag in ("*", etag) or tag == f"W/{etag}" for tag in tags)


def not_modified(headers: Mapping[str, str]) -> Response:
    """304; `headers` are those that a 200 would have had."""
    return Response(status_code=304, headers=headers)
