"""Presets: looks and files under a name."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from app.api import examples, schemas
from app.api.deps import KEYED, Cursor, Limit, Principal, TenantId, TheDesk
from app.api.pages import Pages, answer
from app.api.preset_schemas import Preset, preset_shown
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.db import audit, presets, styles
from app.domain.presets import PresetRequest
from app.domain.renditions import PresetName
from app.errors import BadRequest, InvalidRequest, NotFound, UnknownStyle

router = APIRouter(prefix="/v1/presets", tags=["presets"], **KEYED)

Version = Annotated[int | None, Query(ge=1, lt=2**31)]


@router.post(
    "",
    status_code=201,
    response_model=Preset,
    summary="Make a preset, or its next version",
    responses={
        200: {"model": Preset, "description": "The newest version says the same already."},
        **documented(BadRequest, InvalidRequest, UnknownStyle),
    },
)
def create_preset(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[PresetRequest, Body(examples=[examples.PRESET_REQUEST])],
) -> Response:
    """
    Whoever asks for it by name gets the new version from now on; what was accepted before is done
    as it was accepted.
    """
    with desk.sessions.begin() as session:
        if wanted.style is not None:
            styles.resolve(session, [wanted.style], stylizer=desk.stylizer, tenant_id=tenant_id)
        made, new = presets.create(session, tenant_id, wanted.name, wanted.template, by=by)
        content = preset_shown(made)
        if new:
            target = f"preset:{content.pinned}"
            audit.record(session, tenant_id, by=by, action="preset.created", target=target)
    return reply(content, 201 if new else 200, {**UNCACHED, "Location": content.urls.get})


@router.get(
    "",
    response_model=schemas.Page[Preset],
    summary="Your presets in their newest versions, or all versions of one",
    responses=documented(BadRequest, InvalidRequest),
)
def list_presets(
    request: Request,
    desk: TheDesk,
    tenant_id: TenantId,
    name: Annotated[PresetName | None, Query(description="All versions of this one.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What came last comes first; retired ones, too."""
    pages = Pages(f"presets/{tenant_id}/{name}", desk.settings.secret_key)
    before = pages.last(cursor)
    with desk.sessions() as session:
        rows = presets.listing(session, tenant_id, name=name, before=before, limit=limit + 1)
    rows, following = pages.cut(rows, limit)
    data = [preset_shown(row.Preset) for row in rows]
    return answer(request, schemas.Page[Preset], data, following)


@router.get(
    "/{preset}",
    response_model=Preset,
    summary="A preset in its newest version, or another",
    responses=documented(InvalidRequest, NotFound),
)
def get_preset(
    desk: TheDesk, tenant_id: TenantId, preset: str, version: Version = None
) -> Response:
    with desk.sessions() as session:
        content = preset_shown(presets.get(session, tenant_id, preset, version))
    return reply(content, 200, UNCACHED)


@router.delete(
    "/{preset}",
    response_model=Preset,
    summary="Retire a preset, or one version of it",
    responses=documented(InvalidRequest, NotFound),
)
def retire_preset(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    preset: str,
    version: Version = None,
) -> Response:
    """
    No new work is accepted under it. What was accepted is done, and versions stay to be read; a
    version that is made later is a new one.
    """
    with desk.sessions.begin() as session:
        retired = presets.retire(session, tenant_id, preset, version)
        content = preset_shown(presets.get(session, tenant_id, preset, version))
        if retired:
            target = f"preset:{preset if version is None else content.pinned}"
            audit.record(session, tenant_id, by=by, action="preset.retired", target=target)
    return reply(content, 200, UNCACHED)
