"""The headers of our answers, as OpenAPI tells of them; what is `required` is always there."""

from collections.abc import Iterator
from typing import Any, Final

_WHOLE: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string", "minLength": 1}


def _header(description: str, schema: dict[str, Any], *, always: bool = True) -> dict[str, Any]:
    return {"description": description, "required": always, "schema": schema}


#: By the name under which operations refer to them.
COMPONENTS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-Id": _header(
        "The request's name in our logs: yours, if you sent one that may stand there.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    ),
    "RateLimit-Policy": _header("The quotas that hold for you.", _TEXT, always=False),
    "RateLimit": _header("What is left of them.", _TEXT, always=False),
    "WWW-Authenticate": _header("How to authenticate.", _TEXT),
    "Retry-After": _header("Seconds until it is worth trying again.", _WHOLE),
    "Poll-After": _header("Seconds until it is worth asking again.", _WHOLE, always=False),
    "Content-Range": _header("How many bytes there are.", {"type": "string"}),
    "ETag": _header("For `If-None-Match`.", {"type": "string", "pattern": '^"[^"]+"$'}),
    "Location": _header("Where it is.", _TEXT),
    "Link": _header('`rel="next"`: the next page, if there is one.', _TEXT, always=False),
    "Preference-Applied": _header("What was heeded of `Prefer`.", _TEXT, always=False),
    "Idempotent-Replayed": _header(
        "`true`: this answer was given before.", {"const": "true"}, always=False
    ),
}

#: What a component is called on the wire, where another name says more.
_SENT: Final = {"Poll-After": "Retry-After"}
_ON_ERRORS: Final = {
    "401": "WWW-Authenticate",
    "403": "WWW-Authenticate",
    "416": "Content-Range",
    "429": "Retry-After",
    "503": "Retry-After",
}


def document(operation: dict[str, Any]) -> None:
    """Say in an operation which headers come with each of its answers."""
    for status, response in operation["responses"].items():
        its = response.setdefault("headers", {})
        for name in _names(operation, status):
            its.setdefault(_SENT.get(name, name), {"$ref": f"#/components/headers/{name}"})


def _names(operation: dict[str, Any], status: str) -> Iterator[str]:
    taken = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
    yield "X-Request-Id"
    if "x-scope" in operation and status != "401":
        yield from ("RateLimit-Policy", "RateLimit")
    if status in _ON_ERRORS:
        yield _ON_ERRORS[status]
    if status[0] in "23":
        yield from _of_success(taken, status)


def _of_success(taken: set[str], status: str) -> Iterator[str]:
    if status == "202":
        yield "Location"
    if "if-none-match" in taken and status != "307":
        yield "ETag"
    if {"if-none-match", "prefer"} & taken:
        yield "Poll-After"
    if "cursor" in taken:
        yield "Link"
    if "prefer" in taken:
        yield "Preference-Applied"
    if "idempotency-key" in taken:
        yield "Idempotent-Replayed"
