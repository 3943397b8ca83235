"""Pictures on their way in: a promise first, then the bytes, straight to the store if it can."""

from time import time
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import examples
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import reply
from app.api.schemas import Upload, UploadRequest
from app.db import intake
from app.errors import (
    BodyTooLarge,
    ImageTooLarge,
    InvalidImage,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
    Unauthorized,
)
from app.settings import Settings
from app.signing import sign, verify
from app.sources import look_at
from app.storage import Blob, PresignedUpload, asset_key
from app.submission import Desk

SECONDS = 24 * 3600  #: how long a promise holds

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], **KEYED)
#: The link is the key here, so that whoever moves the bytes needs no other.
signed = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@router.post(
    "",
    status_code=201,
    response_model=Upload,
    summary="Announce a picture and learn where to send it",
    responses=documented(BodyTooLarge, InvalidRequest),
)
def create_upload(
    desk: TheDesk,
    tenant_id: TenantId,
    wanted: Annotated[UploadRequest, Body(examples=[examples.UPLOAD_REQUEST])],
) -> Response:
    """
    The answer says where to `PUT` the bytes, without a key, and under which headers.

    `received: true` means that we have them already. The upload can be used by any number of
    jobs and campaigns until it expires.
    """
    limit = desk.settings.limits.body_bytes
    if wanted.bytes > limit:
        raise BodyTooLarge(f"A picture may have up to {limit:,} bytes.", limit=limit)
    with desk.sessions.begin() as session:
        row = intake.add_upload(
            session, tenant_id, digest=wanted.sha256, media_type=wanted.media_type, seconds=SECONDS
        )
    place = None if row.digest else _place(desk, tenant_id, row.id, wanted)
    answer = Upload(
        id=row.id,
        received=place is None,
        url=place.url if place else None,
        headers=place.headers if place else {},
        expires_at=row.expires_at,
    )
    return reply(answer, 201)


@signed.put(
    "/{upload_id}/content",
    status_code=204,
    summary="Send the bytes of an upload",
    responses=documented(
        *(Unauthorized, NotFound, BodyTooLarge),
        *(InvalidRequest, InvalidImage, ImageTooLarge, StorageUnavailable),
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                f"image/{kind}": {"schema": {"type": "string", "format": "binary"}}
                for kind in ("jpeg", "png", "webp")
            },
        }
    },
)
async def put_content(
    request: Request,
    desk: TheDesk,
    upload_id: UUID,
    owner: UUID,
    sha256: str,
    expires: int,
    signature: str,
) -> Response:
    """The address as the upload gave it, with its query; refused bytes leave nothing behind."""
    place = _path(upload_id, owner, sha256)
    secret = desk.settings.secret_key.get_secret_value()
    verify(place, expires, signature, secret=secret, now=time())
    content = await request.body()
    await run_in_threadpool(_take, desk, upload_id, owner, sha256, content)
    return Response(status_code=204)


def _take(desk: Desk, upload_id: UUID, owner: UUID, digest: str, content: bytes) -> None:
    asset = look_at(content, tenant_id=owner, limits=desk.settings.limits)
    if asset.digest != digest:
        reason = {"pointer": "/sha256", "detail": f"the bytes sent have {asset.digest}"}
        raise InvalidRequest("These are not the bytes that were announced.", errors=[reason])
    blob = Blob(asset_key(owner, digest), content, asset.media_type)
    desk.storage.put(blob)
    with desk.sessions.begin() as session:
        if intake.receive(session, upload_id, asset):
            desk.storage.put(blob)


def _place(desk: Desk, tenant_id: UUID, upload_id: UUID, wanted: UploadRequest) -> PresignedUpload:
    """The store's own door where it has one, else ours."""
    presigned = desk.storage.upload_url(
        asset_key(tenant_id, wanted.sha256),
        sha256=wanted.sha256,
        bytes=wanted.bytes,
        media_type=wanted.media_type,
        expires=SECONDS,
    )
    return presigned or _ours(desk.settings, _path(upload_id, tenant_id, wanted.sha256), wanted)


def _ours(settings: Settings, place: str, wanted: UploadRequest) -> PresignedUpload:
    secret = settings.secret_key.get_secret_value()
    query = sign(place, secret=secret, expires=int(time()) + SECONDS)
    headers = {"Content-Type": wanted.media_type, "Content-Length": str(wanted.bytes)}
    return PresignedUpload(f"{settings.public_url.rstrip('/')}{place}&{query}", headers)


def _path(upload_id: UUID, owner: UUID, digest: str) -> str:
    """Says whose bytes will come and which, so that taking them needs no look-up."""
    return f"/v1/uploads/{upload_id}/content?owner={owner}&sha256={digest}"
