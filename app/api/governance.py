"""What people decide about their styles, and which pictures that touches."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request
from starlette.responses import Response

from app.api import examples, schemas
from app.api.deps import KEYED, Cursor, Limit, Principal, TenantId, TheDesk, takes
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.api.shown import affected_shown
from app.api.styles import checked, shown
from app.db import affected, style_moves, styles
from app.domain.scopes import Scope
from app.domain.style import StyleMove, owned
from app.errors import (
    BadRequest,
    FourEyes,
    InvalidRequest,
    NotFound,
    StyleNotReady,
    StyleTransition,
)
from app.submission import Desk

router = APIRouter(prefix="/v1/styles", tags=["styles"], **KEYED)

Version = Annotated[int | None, Query(ge=1, lt=2**31, description="The newest unless given.")]
Why = Annotated[schemas.MoveRequest | None, Body(examples=[examples.MOVE_REQUEST])]
MustSayWhy = Annotated[schemas.StopRequest, Body(examples=[examples.MOVE_REQUEST])]

_MOVED: Final = (NotFound, StyleNotReady, StyleTransition, InvalidRequest)


@router.post(
    "/{name}/submit-for-review",
    response_model=schemas.StyleVersions,
    summary="Ask a second pair of eyes to look at a draft",
    responses=documented(*_MOVED),
)
def submit_style_for_review(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    name: str,
    version: Version = None,
    why: Why = None,
) -> Response:
    """From now on nothing of it changes: what is looked at is what will be used."""
    _move(desk, tenant_id, name, version, StyleMove.SUBMIT, by, why)
    return shown(desk, tenant_id, name)


@router.post(
    "/{name}/activate",
    response_model=schemas.StyleVersions,
    summary="Let a style be asked for",
    responses=documented(*_MOVED, FourEyes),
)
def activate_style(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    name: str,
    version: Version = None,
    why: Why = None,
) -> Response:
    """
    One of yours that is in review, by another key than the one that asked for the review.

    Where the service runs without four eyes, a draft too, by any key. Doing it twice does nothing
    more.
    """
    _move(desk, tenant_id, name, version, StyleMove.ACTIVATE, by, why)
    return shown(desk, tenant_id, name)


@router.post(
    "/{name}/suspend",
    response_model=schemas.StyleVersions,
    summary="Stop a style for now",
    responses=documented(*_MOVED),
)
def suspend_style(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    name: str,
    why: MustSayWhy,
    version: Version = None,
) -> Response:
    """Nothing new is accepted, what waits fails unbilled, finished pictures are kept back."""
    _move(desk, tenant_id, name, version, StyleMove.SUSPEND, by, why)
    return shown(desk, tenant_id, name)


@router.post(
    "/{name}/reinstate",
    response_model=schemas.StyleVersions,
    summary="Let a suspended style go on",
    responses=documented(*_MOVED),
    openapi_extra=takes(Scope.ADMIN),
)
def reinstate_style(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    name: str,
    why: MustSayWhy,
    version: Version = None,
) -> Response:
    """Its pictures are delivered again, under new links. Not one that was withdrawn."""
    _move(desk, tenant_id, name, version, StyleMove.REINSTATE, by, why)
    return shown(desk, tenant_id, name)


@router.post(
    "/{name}/retire",
    response_model=schemas.StyleVersions,
    summary="Offer a style no longer",
    responses=documented(*_MOVED),
    openapi_extra=takes(Scope.ADMIN),
)
def retire_style(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    name: str,
    why: MustSayWhy,
    version: Version = None,
) -> Response:
    """For good. What was accepted is drawn, and its pictures stay; of a suspended one, neither."""
    _move(desk, tenant_id, name, version, StyleMove.RETIRE, by, why)
    return shown(desk, tenant_id, name)


@router.post(
    "/{name}/withdraw",
    response_model=schemas.Withdrawal,
    summary="Take a style back, with every picture that came from it",
    responses=documented(*_MOVED),
    openapi_extra=takes(Scope.ADMIN),
)
def withdraw_style(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    name: str,
    why: MustSayWhy,
    version: Version = None,
) -> Response:
    """
    For when its licensor ends the licence: suspended for good, nothing of it is delivered again.

    The pictures stay stored. Links that a CDN checks by itself open until they expire.
    """
    number = _move(desk, tenant_id, name, version, StyleMove.WITHDRAW, by, why)
    with desk.sessions() as session:
        slug = owned(tenant_id, name)
        touched = affected.count(session, slug, number, tenant_id=tenant_id)
    content = schemas.Withdrawal(
        style=f"{name}@{number}",
        reason=why.reason,
        affected=touched,
        assets_url=f"/v1/styles/{name}/versions/{number}/assets",
    )
    return reply(content, 200, UNCACHED)


@router.get(
    "/{name}/versions/{version}/assets",
    response_model=schemas.Page[schemas.AffectedAsset],
    summary="Your pictures that came from a style version, alone or in a mix",
    responses=documented(BadRequest, InvalidRequest, NotFound),
)
def list_affected_assets(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    name: str,
    version: Annotated[int, Path(ge=1, lt=2**31)],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Across all campaigns, oldest first; of a style of everybody's, yours alone."""
    pages = Pages(f"affected/{tenant_id}/{name}@{version}", desk.settings.secret_key)
    after = pages.last(cursor)
    with desk.sessions() as session:
        slug = styles.slug_of(session, tenant_id, checked(name))
        rows = affected.pictures(
            session, slug, version, tenant_id=tenant_id, after=after, limit=limit + 1
        )
    following = pages.cursor(rows[limit - 1].id) if len(rows) > limit else None
    data = [affected_shown(row) for row in rows[:limit]]
    return answer(request, schemas.Page[schemas.AffectedAsset], data, following)


def _move(
    desk: Desk,
    tenant_id: UUID,
    name: str,
    version: int | None,
    what: StyleMove,
    by: str,
    why: schemas.MoveRequest | schemas.StopRequest | None,
) -> int:
    """One of the caller's own, and only of those: others are not there for it."""
    with desk.sessions.begin() as session:
        return style_moves.move(
            session,
            owned(tenant_id, checked(name)),
            version,
            what,
            by=by,
            reason=why.reason if why else None,
            four_eyes=desk.settings.governance.four_eyes,
        )
