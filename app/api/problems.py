"""Every error as the caller sees it, and as OpenAPI tells of it: RFC 9457 problems."""

import json
import logging
from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app import metrics
from app.errors import (
    BadRequest,
    ImpastoError,
    InsufficientScope,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    ServiceUnavailable,
    StyleNotLicensed,
    Unauthorized,
    Withheld,
)

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA: Final = {"schema": {"$ref": "#/components/schemas/Problem"}}  #: of every problem
RETRY_AFTER: Final = 2  #: seconds
METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)  #: the database is
LONGEST: Final = 50  #: reasons in one answer; a campaign may have a thousand


class Reason(BaseModel):
    """What is wrong with one field."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Why a request was not carried out, for people and for programs (`code`)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    errors: list[Reason] | None = None


def catalogue() -> dict[str, type[ImpastoError]]:
    """Every error of `app.errors` by its code; of those that share one, the most general.

    Our client and command line have errors of their own, which no answer ever names.
    """
    kinds: dict[str, type[ImpastoError]] = {}
    waiting: list[type[ImpastoError]] = [ImpastoError]
    while waiting:
        kind = waiting.pop(0)
        ours = kind.__module__.startswith("app.errors")
        if ours and issubclass(kinds.get(kind.code, kind), kind):
            kinds[kind.code] = kind
        waiting += kind.__subclasses__()
    return kinds


def answer(error: ImpastoError, *, path: str, request_id: str) -> Response:
    """The problem that tells of `error`; what broke on our side is told to the log instead."""
    if error.status >= 500 and not error.retryable:
        log.error("request %s: %s", request_id, error, exc_info=error)
        error = ImpastoError()
    content = {
        "type": error.registered or f"/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "instance": path,
        "code": error.code,
        "request_id": request_id,
        "retryable": error.retryable,
        **error.extensions,
    }
    headers = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, InsufficientScope):
        scope = error.extensions["needed"]
        headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.extensions['size']}"
    if error.retryable:
        headers["Retry-After"] = str(error.extensions.get("retry_after", RETRY_AFTER))
    # ASCII, because a detail may quote what no encoding takes: half a surrogate pair.
    body = json.dumps(content, ensure_ascii=True).encode()
    return Response(body, error.status, headers, MEDIA_TYPE)


def documented(*kinds: type[ImpastoError]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says about these errors, one example each."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        response = responses.setdefault(kind.status, _undescribed())
        lines = [response["description"], f"`{kind.code}`: {kind.title}."]
        response["description"] = "\n\n".join(filter(None, lines))
        response["content"][MEDIA_TYPE]["examples"][kind.code] = {
            "$ref": f"#/components/examples/{kind.code}"
        }
    return responses


def examples() -> dict[str, Any]:
    """One problem of every kind, by its code: what `documented` refers to."""
    return {code: {"value": _example(kind)} for code, kind in catalogue().items()}


def add_problems(app: FastAPI) -> None:
    """Answer every error that leaves a route in the one shape."""
    for kind in (ImpastoError, RequestValidationError, HTTPException, *AWAY):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    problem = known(error)
    if isinstance(problem, StyleNotLicensed):
        metrics.refused.labels(_point(problem, request.url.path)).inc()
    response = answer(problem, path=request.url.path, request_id=request.state["request_id"])
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    if isinstance(problem, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> Iterator[str]:
    """What all routes of this path take together: the framework asks only the first."""
    for method in METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield method


def _point(error: StyleNotLicensed, path: str) -> str:
    """Which of the points where licences are checked: a claim's is counted by its worker."""
    if isinstance(error, Withheld):
        return "delivery"
    return "approval" if "review" in path else "submission"


def known(error: Exception) -> ImpastoError:
    """What we say of an error, whoever raised it; of what nobody foresaw, that it was ours."""
    match error:
        case ImpastoError():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _of_router(error)
    if isinstance(error, AWAY):
        log.warning("the database does not answer: %s", error)
        return ServiceUnavailable("The database does not answer; try again.")
    broken = ImpastoError(type(error).__name__)
    broken.__cause__ = error
    return broken


def _of_router(error: HTTPException) -> ImpastoError:
    """What the framework raises itself: no such path, no such method, a body it cannot parse."""
    if isinstance(error.__cause__, ImpastoError):  # raised while it read the body
        return error.__cause__
    match error.status_code:
        case 404:
            return NotFound("There is nothing at this path.")
        case 405:
            return MethodNotAllowed()
        case 400:
            return BadRequest(str(error.__cause__ or error.detail))
    return ImpastoError(error.detail)


def _invalid(error: RequestValidationError) -> ImpastoError:
    reasons = error.errors()
    if any(reason["type"] == "json_invalid" for reason in reasons):
        return BadRequest("The body is not JSON.")
    if any(reason["loc"][0] == "path" for reason in reasons):
        return NotFound()
    return invalid(reasons, skip=1)


def invalid(reasons: Any, *, skip: int = 0) -> InvalidRequest:
    """Pydantic's findings as ours; the first `skip` parts of a place are not the caller's."""
    errors = [
        {"pointer": _pointer(reason["loc"][skip:]), "detail": reason["msg"]}
        for reason in reasons[:LONGEST]
    ]
    first = errors[0]
    return InvalidRequest(f"{first['pointer'] or 'The body'}: {first['detail']}.", errors=errors)


def _pointer(place: tuple[int | str, ...]) -> str:
    """RFC 6901."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in place)
    return "".join(f"/{part}" for part in parts)


def _undescribed() -> dict[str, Any]:
    return {"description": "", "content": {MEDIA_TYPE: {**SCHEMA, "examples": {}}}}


def _example(kind: type[ImpastoError]) -> dict[str, Any]:
    example = {
        "type": kind.registered or f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title,
        "instance": "/v1/jobs",
        "code": kind.code,
        "request_id": "9f86d081884c7d65",
        "retryable": kind.retryable,
    }
    if issubclass(kind, InvalidRequest):
        example["errors"] = [{"pointer": "/strength", "detail": "Input should be at most 1"}]
    return example
