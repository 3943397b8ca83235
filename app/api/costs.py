"""What was spent, by whatever it can be charged to; and all of it for somebody else's system."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import Row
from starlette.responses import Response, StreamingResponse

from app.api.cost_schemas import CostGroup
from app.api.deps import KEYED, Limit, TenantId, TheDesk
from app.api.moments import Moment
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.schemas import Page
from app.db import rate_cards, spending
from app.db.spending import Span
from app.domain.style import plain
from app.errors import BadRequest, InvalidRequest
from app.focus import as_csv, lines
from app.submission import Desk

DAYS: Final = 30  #: without `since`

router = APIRouter(prefix="/v1/costs", tags=["costs"], **KEYED)

When = Annotated[Moment | None, Query(description="A moment or a day; UTC where it names no zone.")]
GroupBy = Annotated[
    str | None,
    Query(
        pattern=r"^(campaign|job|style|principal|day|status|tag:[a-z0-9_]{1,40})$",
        description="`campaign`, `job`, `style`, `principal` (API key), `day` (UTC), `status`, or"
        " `tag:KEY`. Without it, one sum.",
        examples=["tag:cost_center"],
    ),
]
GroupCursor = Annotated[
    str | None, Query(max_length=600, description="`next_cursor` of the page before.")
]


def _span(since: When = None, until: When = None) -> Span:
    until = until or datetime.now(UTC)
    since = since or until - timedelta(days=DAYS)
    if since >= until:
        reason = {"pointer": "/since", "detail": "must be before until"}
        raise InvalidRequest("since must be before until.", errors=[reason])
    return Span(since, until)


TheSpan = Annotated[Span, Depends(_span)]


@router.get(
    "",
    response_model=Page[CostGroup],
    summary="What you spent, in groups",
    responses=documented(BadRequest, InvalidRequest),
)
def list_costs(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    span: TheSpan,
    group_by: GroupBy = None,
    cursor: GroupCursor = None,
    limit: Limit = 100,
) -> Response:
    """
    Of what was settled from `since` on and before `until`, or in the last 30 days.

    Groups come in the order of their keys. By `status`, jobs that ended without a cost count.
    """
    pages = Pages(f"costs/{tenant_id}/{group_by}", desk.settings.secret_key)
    after = pages.last_key(cursor)
    with desk.sessions() as session:
        rows = spending.groups(session, tenant_id, span, group_by, after=after, limit=limit + 1)
    following = pages.key_cursor(rows[limit - 1].key) if len(rows) > limit else None
    data = [_shown(row, group_by) for row in rows[:limit]]
    return answer(request, Page[CostGroup], data, following)


@router.get(
    "/export",
    summary="What you spent, in the columns of FOCUS",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "CSV."},
        **documented(InvalidRequest),
    },
)
def export_costs(desk: TheDesk, tenant_id: TenantId, span: TheSpan) -> Response:
    """One line for each part of each bill, oldest first, as FOCUS names things. Streamed."""
    headers = {"Content-Disposition": 'attachment; filename="impasto-focus.csv"'}
    content = _exported(desk, tenant_id, span)
    return StreamingResponse(content, headers=headers, media_type="text/csv; charset=utf-8")


def _exported(desk: Desk, tenant_id: UUID, span: Span) -> Iterator[str]:
    with desk.sessions() as session:
        cards = rate_cards.known(session)
        entries = spending.entries(session, span, tenant_id)
        yield from as_csv(lines(entries, (), cards, desk.settings.rate_card))


def _shown(row: Row[Any], group_by: str | None) -> CostGroup:
    return CostGroup(
        key=_named(row.key.rpartition("/")[0], group_by),  # its currency is behind
        jobs=row.jobs,
        micros=row.micros,
        currency=row.currency or None,
        device_seconds=round(row.device_ms / 1000, 6),
        cpu_seconds=round(row.cpu_ms / 1000, 6),
        stored_bytes=row.stored_bytes,
        signatures=row.signatures,
    )


def _named(key: str, group_by: str | None) -> str | None:
    """A group as its owner knows it."""
    if group_by == "principal" and key:
        return f"imp_{key}"
    return (plain(key) if group_by == "style" else key) or None
