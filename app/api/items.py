"""The jobs of a campaign, page by page, by what they are."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api import schemas
from app.api.deps import KEYED, Cursor, Limit, TenantId, TheDesk
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.shown import job_shown
from app.db import campaigns, reading
from app.domain.job import JobStatus
from app.domain.requests import storable
from app.domain.told import STORABLE
from app.errors import BadRequest, InvalidRequest, NotFound

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"], **KEYED)


@router.get(
    "/{campaign_id}/items",
    response_model=schemas.Page[schemas.Job],
    summary="A campaign's jobs, in the order they were handed in",
    responses=documented(BadRequest, InvalidRequest, NotFound),
)
def list_items(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    campaign_id: UUID,
    status: Annotated[JobStatus | None, Query()] = None,
    custom_id_prefix: Annotated[
        str | None, Query(max_length=255, json_schema_extra=STORABLE)
    ] = None,
    style: Annotated[
        str | None,
        Query(
            max_length=100,
            description="A name, with or without `@version`.",
            json_schema_extra=STORABLE,
        ),
    ] = None,
    error: Annotated[
        str | None,
        Query(max_length=64, description="A code of `GET /problems`.", json_schema_extra=STORABLE),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """All that is given must hold. A mix is in every style that it mixes."""
    pages = Pages(f"items/{campaign_id}", desk.settings.secret_key)
    after = pages.last(cursor)
    words = {"custom_id_prefix": custom_id_prefix, "style": style, "error": error}
    more = reading.filtered(**{name: _storable(name, word) for name, word in words.items()})
    with desk.sessions() as session:
        campaigns.get(session, tenant_id, campaign_id)
        rows = reading.items(
            session, campaign_id, after=after, status=status, limit=limit + 1, more=more
        )
    rows, following = pages.cut(rows, limit)
    data = [job_shown(desk.settings, row) for row in rows]
    return answer(request, schemas.Page[schemas.Job], data, following)


def _storable(name: str, word: str | None) -> str | None:
    """Raises `InvalidRequest` for what Postgres holds in no text."""
    try:
        return None if word is None else storable(word)
    except ValueError as error:
        reason = {"pointer": f"/{name}", "detail": str(error)}
        raise InvalidRequest(f"{name} {error}.", errors=[reason]) from error
