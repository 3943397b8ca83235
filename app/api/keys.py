"""API keys of a tenant, by whoever administers it."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from sqlalchemy import Row
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api.deps import KEYED, Principal, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import Secret, reply
from app.api.tenant_schemas import Key, KeyRequest, Keys, NewKey, RotationRequest
from app.db import keys
from app.errors import BadRequest, Conflict, InvalidRequest, NotFound

UNSTORED = {"Cache-Control": "no-store"}
SHOP = {"name": "shop", "scopes": ["submit", "read"], "days": 90}

router = APIRouter(prefix="/v1/keys", tags=["keys"], **KEYED)


@router.get("", response_model=Keys, summary="Your keys, oldest first")
def list_keys(desk: TheDesk, tenant_id: TenantId) -> Response:
    """Those that were revoked or have expired, too."""
    with desk.sessions() as session:
        rows = keys.listing(session, tenant_id)
    return reply(Keys(data=[_shown(row) for row in rows]), 200, UNSTORED)


@router.post(
    "",
    status_code=201,
    response_model=NewKey,
    summary="Make a key",
    responses=documented(BadRequest, InvalidRequest),
)
def create_key(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[KeyRequest, Body(examples=[SHOP])],
) -> Response:
    """The answer is the only time that its secret is shown."""
    with desk.sessions.begin() as session:
        new = keys.add(
            session, tenant_id, name=wanted.name, scopes=wanted.scopes, days=wanted.days, by=by
        )
        shown = _new(session, new)
    return Secret(shown, 201, without="key")


@router.post(
    "/{prefix}/rotate",
    status_code=201,
    response_model=NewKey,
    summary="Exchange a key",
    responses=documented(BadRequest, NotFound, Conflict, InvalidRequest),
)
def rotate_key(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    prefix: str,
    wanted: Annotated[
        RotationRequest, Body(examples=[{"overlap_seconds": 86_400}])
    ] = RotationRequest(),  # noqa: B008 - frozen
) -> Response:
    """A new key with the same name and scopes; the old one goes on opening for a while."""
    with desk.sessions.begin() as session:
        new = keys.rotate(session, tenant_id, prefix, overlap=wanted.overlap_seconds, by=by)
        shown = _new(session, new)
    return Secret(shown, 201, without="key")


@router.delete(
    "/{prefix}",
    response_model=Key,
    summary="Revoke a key",
    responses=documented(NotFound, Conflict),
)
def revoke_key(desk: TheDesk, tenant_id: TenantId, by: Principal, prefix: str) -> Response:
    """It opens nothing any more, within a second; also the key that asks for it."""
    with desk.sessions.begin() as session:
        keys.revoke(session, prefix, tenant_id, by=by)
        [row] = [row for row in keys.listing(session, tenant_id) if row.ApiKey.prefix == prefix]
    return reply(_shown(row), 200, UNSTORED)


def _new(session: Session, new: keys.NewKey) -> NewKey:
    rows = keys.listing(session, new.row.tenant_id)
    [row] = [row for row in rows if row.ApiKey.id == new.row.id]
    return NewKey(key=new.key, **dict(_shown(row)))


def _shown(row: Row[Any]) -> Key:
    key = row.ApiKey
    return Key(
        prefix=key.prefix,
        name=key.name,
        scopes=key.scopes,
        state=row.state,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.used_at,
    )
