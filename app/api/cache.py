"""How often a picture had been drawn before."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api import schemas
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import reply
from app.db import cache
from app.errors import InvalidRequest

router = APIRouter(prefix="/v1/cache", tags=["cache"], **KEYED)


@router.get(
    "",
    response_model=schemas.Cache,
    summary="How much of your work was there already",
    responses=documented(InvalidRequest),
)
def get_cache(
    desk: TheDesk, tenant_id: TenantId, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> Response:
    """Equal pictures, drawn once: the same content, style version, stylizer and parameters."""
    with desk.sessions() as session:
        its = cache.ratio(session, tenant_id, days=days)
    share = its.hits / its.succeeded if its.succeeded else None
    return reply(schemas.Cache(days=days, succeeded=its.succeeded, cached=its.hits, ratio=share))
