"""How often a picture had been drawn before."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api import schemas
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import reply
from app.db import campaigns, tallies
from app.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/v1/cache", tags=["cache"], **KEYED)


@router.get(
    "",
    response_model=schemas.Cache,
    summary="How much of your work was there already",
    responses=documented(InvalidRequest, NotFound),
)
def get_cache(
    desk: TheDesk,
    tenant_id: TenantId,
    days: Annotated[
        int, Query(ge=1, le=366, description="Today, in UTC, and the days before it.")
    ] = 30,
    campaign_id: Annotated[
        UUID | None, Query(description="Of this campaign alone, whenever it was.")
    ] = None,
) -> Response:
    """Equal pictures, drawn once: the same content, style version, stylizer and parameters."""
    with desk.sessions() as session:
        if campaign_id is None:
            its = tallies.ratio(session, tenant_id, days=days)
        else:
            its = campaigns.ratio(campaigns.get(session, tenant_id, campaign_id))
    return reply(
        schemas.Cache(
            days=days if campaign_id is None else None,
            campaign_id=campaign_id,
            succeeded=its.succeeded,
            cached=its.cached,
            ratio=its.share,
        )
    )
