"""
The OpenAPI document: what FastAPI can tell of the routes, and what holds for many of them alike.

Every status that a route answers with stands in it: there is no `default` that would allow any.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app.api import headers, problems
from app.api.idempotency import KINDS, PARAMETER
from app.api.problems import MEDIA_TYPE, SCHEMA, Problem, documented
from app.domain.requests import CampaignOptions, CampaignRequest, JobRequest
from app.domain.told import never_null
from app.errors import (
    BadRequest,
    BodyTooLarge,
    ImpastoError,
    InvalidRequest,
    NotFound,
    ServiceUnavailable,
)

#: Shapes that routes read and answer themselves.
SHAPES: Final[list[tuple[type[BaseModel], JsonSchemaMode]]] = [
    (JobRequest, "validation"),
    (CampaignRequest, "validation"),
    (CampaignOptions, "validation"),
    (Problem, "serialization"),
]

#: Keeps FastAPI from telling of its own 422, which `of` takes out again.
UNSAID: Final[dict[int | str, dict[str, Any]]] = {"default": {"description": "A problem."}}


def of(api: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    if api.openapi_schema is None:
        document = get_openapi(
            title=api.title,
            version=api.version,
            summary=api.summary,
            description=api.description,
            routes=api.routes,
        )
        _, schema = models_json_schema(SHAPES, ref_template="#/components/schemas/{model}")
        parts = document["components"]
        parts["schemas"] = {**schema["$defs"], **parts["schemas"]}
        parts["headers"] = headers.COMPONENTS
        parts["examples"] = problems.examples()
        for methods in document["paths"].values():
            for method, operation in methods.items():
                _complete(method, operation)
        api.openapi_schema = document
    return api.openapi_schema


def _complete(method: str, operation: dict[str, Any]) -> None:
    """What FastAPI cannot know: the errors and the headers that come by themselves."""
    del operation["responses"]["default"]
    if method == "post":
        operation.setdefault("parameters", []).append(PARAMETER)
    for parameter in operation.get("parameters", []):
        if "schema" in parameter:
            parameter["schema"] = never_null(parameter["schema"])
    for kind in _own_errors(method, operation):
        _tell(operation["responses"], kind)
    headers.document(operation)


def _own_errors(method: str, operation: dict[str, Any]) -> Iterator[type[ImpastoError]]:
    places = {parameter["in"] for parameter in operation.get("parameters", [])}
    yield ImpastoError
    if "x-scope" in operation:
        yield ServiceUnavailable
    if "path" in places:
        yield NotFound
    if places & {"query", "header"}:
        yield InvalidRequest
    if "requestBody" in operation:
        yield from (BadRequest, BodyTooLarge, InvalidRequest)
    if method == "post":
        yield from KINDS


def _tell(responses: dict[str, Any], kind: type[ImpastoError]) -> None:
    """Of an error, unless it is told of already."""
    [said] = documented(kind).values()
    known = responses.setdefault(str(kind.status), said)
    content = known.setdefault("content", {})
    examples = content.setdefault(MEDIA_TYPE, {**SCHEMA, "examples": {}})["examples"]
    if kind.code not in examples:
        known["description"] = f"{known['description']}\n\n{said['description']}".strip()
        examples.update(said["content"][MEDIA_TYPE]["examples"])
