"""The looks that can be asked for."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Row
from starlette.responses import Response

from app.api import schemas
from app.api.deps import KEYED, TheDesk
from app.api.problems import documented
from app.api.replies import reply
from app.db import styles
from app.errors import NotFound

CACHING = {"Cache-Control": "private, max-age=60"}

router = APIRouter(prefix="/v1/styles", tags=["styles"], **KEYED)


@router.get("", response_model=schemas.Styles, summary="Every style, in its newest version")
def list_styles(desk: TheDesk) -> Response:
    """`name` asks for the newest version, `pinned` for exactly this one."""
    newest: dict[str, schemas.Style] = {}
    with desk.sessions() as session:
        for row in styles.listing(session, stylizer=desk.stylizer):
            newest.setdefault(row.slug, _shown(row))
    return reply(schemas.Styles(data=list(newest.values())), 200, CACHING)


@router.get(
    "/{name}",
    response_model=schemas.StyleVersions,
    summary="One style and all its versions",
    responses=documented(NotFound),
)
def get_style(desk: TheDesk, name: str) -> Response:
    if not styles.NAME.fullmatch(name) or "@" in name:
        raise NotFound("There is no such style; GET /v1/styles lists them.")
    with desk.sessions() as session:
        rows = styles.listing(session, stylizer=desk.stylizer, slug=name)
    if not rows:
        raise NotFound("There is no such style; GET /v1/styles lists them.")
    content = schemas.StyleVersions(
        name=rows[0].slug, title=rows[0].title, versions=[_shown(row) for row in rows]
    )
    return reply(content, 200, CACHING)


def _shown(row: Row[Any]) -> schemas.Style:
    return schemas.Style(
        name=row.slug,
        title=row.title,
        version=row.version,
        pinned=f"{row.slug}@{row.version}",
        stylizer=f"{row.stylizer_name}-{row.stylizer_version}",
        card=row.card,
    )
