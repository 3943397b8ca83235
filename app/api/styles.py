"""The looks that can be asked for, and those that are being learned."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body
from sqlalchemy import Row
from starlette.responses import FileResponse, Response

from app.api import examples, schemas
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.api.shown import style_shown
from app.db import styles
from app.domain.style import NAME, StyleRequest, plain
from app.errors import (
    BadRequest,
    Conflict,
    InvalidImage,
    InvalidRequest,
    NotFound,
    NotOffered,
    QueueFull,
    QuotaExceeded,
    UnknownUpload,
)
from app.learning import accept_style
from app.submission import Desk

CACHING = {"Cache-Control": "private, max-age=60"}

router = APIRouter(prefix="/v1/styles", tags=["styles"], **KEYED)


@router.get("", response_model=schemas.Styles, summary="Every style, in its best version")
def list_styles(desk: TheDesk, tenant_id: TenantId) -> Response:
    """
    The version that `name` asks for: the newest active one. `pinned` asks for exactly this one.

    Everybody's styles and your own, one that is still learning only while it has no other version.
    """
    best: dict[str, Row[Any]] = {}
    with desk.sessions() as session:
        for row in styles.listing(session, tenant_id, stylizer=desk.stylizer):
            best.setdefault(plain(row.slug), row)
    data = [style_shown(desk.settings, tenant_id, best[name]) for name in sorted(best)]
    return reply(schemas.Styles(data=data), 200, _caching(best.values()))


@router.post(
    "",
    status_code=202,
    response_model=schemas.Style,
    summary="Have a style learned from one picture",
    responses=documented(
        *(BadRequest, InvalidRequest, InvalidImage, UnknownUpload, Conflict, NotOffered),
        *(QuotaExceeded, QueueFull),
    ),
)
def create_style(
    desk: TheDesk,
    tenant_id: TenantId,
    wanted: Annotated[StyleRequest, Body(examples=[examples.STYLE_REQUEST])],
) -> Response:
    """
    A job learns it for some minutes; canceling the job ends that. A preview comes within seconds.

    What was learned is a draft of yours until it is activated. The picture is kept: prints are
    painted by it.
    """
    version_id = accept_style(desk, tenant_id, wanted)
    [row] = [row for row in _versions(desk, tenant_id, wanted.name) if row.id == version_id]
    content = style_shown(desk.settings, tenant_id, row)
    return reply(content, 202, {**UNCACHED, "Location": f"/v1/styles/{wanted.name}"})


@router.get(
    "/{name}",
    response_model=schemas.StyleVersions,
    summary="One style and all its versions",
    responses=documented(NotFound),
)
def get_style(desk: TheDesk, tenant_id: TenantId, name: str) -> Response:
    return shown(desk, tenant_id, name)


@router.get(
    "/{name}/preview",
    response_class=Response,
    summary="What a style of everybody's does to photographs",
    responses={200: {"content": {"image/jpeg": {}}}, **documented(NotFound)},
)
def get_preview(desk: TheDesk, tenant_id: TenantId, name: str) -> Response:
    for row in _versions(desk, tenant_id, checked(name)):
        if row.tenant_id is None and (preview := row.card.get("preview")):
            path = desk.settings.catalog / "styles" / preview["file"]
            if not path.is_file():
                raise NotFound("This version is older than the catalog that is installed here.")
            return FileResponse(path, media_type="image/jpeg", headers=CACHING)
    raise _unknown()


def shown(desk: Desk, tenant_id: UUID, name: str) -> Response:
    """A style with all its versions. Raises `NotFound`."""
    rows = _versions(desk, tenant_id, checked(name))
    if not rows:
        raise _unknown()
    content = schemas.StyleVersions(
        name=name,
        title=rows[0].title,
        versions=[style_shown(desk.settings, tenant_id, row) for row in rows],
    )
    return reply(content, 200, _caching(rows))


def _versions(desk: Desk, tenant_id: UUID, name: str) -> Sequence[Row[Any]]:
    with desk.sessions() as session:
        return styles.listing(session, tenant_id, stylizer=desk.stylizer, name=name)


def checked(name: str) -> str:
    """Raises `NotFound` for what no style can be called."""
    if not NAME.fullmatch(name) or "@" in name:
        raise _unknown()
    return name


def _unknown() -> NotFound:
    return NotFound("There is no such style; GET /v1/styles lists them.")


def _caching(rows: Iterable[Row[Any]]) -> Mapping[str, str]:
    """What is everybody's does not change for a while; one's own may, at any moment."""
    return UNCACHED if any(row.tenant_id for row in rows) else CACHING
