"""The application: routes, and the one layer around them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from fastapi import FastAPI
from starlette.middleware import Middleware

import app
from app.api import (
    assets,
    cache,
    campaigns,
    control,
    costs,
    deliveries,
    document,
    endpoints,
    erasures,
    estimates,
    governance,
    handover,
    health,
    items,
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
from app.api.peephole import Peephole
from app.api.schemas import Welcome

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
        middleware=[Middleware(Door), Middleware(Peephole)],
        telemetry={"tracing": False, "metrics": False, "logs": False},
        responses=document.UNSAID,
    )
    problems.add_problems(api)
    for part in (
        uploads,
        jobs,
        campaigns,
        items,
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
    api.openapi = lambda: document.of(api)  # type: ignore[method-assign]
    return api


async def welcome() -> Welcome:
    """Where everything is."""
    return Welcome(version=app.__version__)
