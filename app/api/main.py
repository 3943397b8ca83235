"""The application: routes, and the one layer around them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.middleware import Middleware

import app
from app.api import (
    assets,
    cache,
    campaigns,
    control,
    costs,
    deliveries,
    endpoints,
    erasures,
    estimates,
    governance,
    handover,
    health,
    idempotency,
    jobs,
    keys,
    kinds,
    manifests,
    presets,
    problems,
    provenance,
    reviews,
    streams,
    styles,
    tenant,
    uploads,
    webhooks,
)
from app.api.deps import State
from app.api.door import Door
from app.api.schemas import Welcome
from app.domain.requests import CampaignOptions, CampaignRequest, JobRequest

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[State]]

DESCRIPTION = """
Photographs in the look of a painting or a brand, in bulk.

Every request under `/v1` carries an API key (`Authorization: Bearer imp_...`). Every error is a
problem (RFC 9457) with a stable `code`; `GET /problems` lists them. Finished work is announced
by signed webhooks (Standard Webhooks), polled with ETags, or waited for with `Prefer: wait=N`.
"""


def create_app(lifespan: Lifespan) -> FastAPI:
    """The API around whatever desk and listener `lifespan` yields."""
    api = FastAPI(
        title="Impasto",
        version=app.__version__,
        summary="Photographs in the look of a painting, in bulk.",
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,  # a redirected POST loses its body in half of all clients
        middleware=[Middleware(Door)],
        telemetry={"tracing": False, "metrics": False, "logs": False},
        responses={"default": _default()},
    )
    problems.add_problems(api)
    for part in (
        uploads,
        jobs,
        campaigns,
        manifests,
        handover,
        streams,
        estimates,
        costs,
        cache,
        control,
        reviews,
        styles,
        presets,
        governance,
        endpoints,
        deliveries,
        webhooks,
        assets,
        provenance,
        kinds,
        health,
    ):
        api.include_router(part.router)
    for router in (keys.router, tenant.router, tenant.log, erasures.router, uploads.signed):
        api.include_router(router)
    api.get("/", include_in_schema=False)(welcome)
    api.openapi = lambda: _openapi(api)  # type: ignore[method-assign]
    return api


async def welcome() -> Welcome:
    """Where everything is."""
    return Welcome(version=app.__version__)


def _openapi(api: FastAPI) -> dict[str, Any]:
    """What FastAPI can tell of the routes, and the shapes that they read and answer themselves."""
    if api.openapi_schema is None:
        api.openapi_schema = get_openapi(
            title=api.title,
            version=api.version,
            summary=api.summary,
            description=api.description,
            routes=api.routes,
        )
        shapes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
            (JobRequest, "validation"),
            (CampaignRequest, "validation"),
            (CampaignOptions, "validation"),
            (problems.Problem, "serialization"),
        ]
        _, schema = models_json_schema(shapes, ref_template="#/components/schemas/{model}")
        known = api.openapi_schema["components"]["schemas"]
        api.openapi_schema["components"]["schemas"] = {**schema["$defs"], **known}
        for methods in api.openapi_schema["paths"].values():
            if "post" in methods:
                idempotency.document(methods["post"])
    return api.openapi_schema


def _default() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "A problem.", "content": {problems.MEDIA_TYPE: {"schema": schema}}}
