"""Pictures on their way in: a promise first, then the bytes, straight to the store if it can."""

import hashlib
from time import time
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import examples
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import reply
from app.api.schemas import Upload, UploadRequest
from app.db import intake, manifests
from app.domain.manifest import Format
from app.errors import (
    BodyTooLarge,
    ImageTooLarge,
    InvalidImage,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
    Unauthorized,
)
from app.manifest import format_of
from app.settings import Settings
from app.signing import sign, verify
from app.sources import look_at
from app.storage import Blob, PresignedUpload, asset_key, manifest_key
from app.submission import Desk

SECONDS = 24 * 3600  #: how long a promise holds

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], **KEYED)
#: The link is the key here, so that whoever moves the bytes needs no other.
signed = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@router.post(
    "",
    status_code=201,
    response_model=Upload,
    summary="Announce a picture or a manifest, and learn where to send it",
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
    listed = format_of(wanted.media_type) is not None
    limits = desk.settings.limits
    what, limit = ("manifest", limits.manifest_bytes) if listed else ("picture", limits.body_bytes)
    if wanted.bytes > limit:
        raise BodyTooLarge(f"A {what} may have up to {limit:,} bytes.", limit=limit)
    with desk.sessions.begin() as session:
        if listed:
            manifests.promised(session, tenant_id, wanted.sha256)
        row = intake.add_upload(
            session, tenant_id, digest=wanted.sha256, media_type=wanted.media_type, seconds=SECONDS
        )
    known = row.digest and not listed
    place = None if known else _place(desk, tenant_id, row.id, wanted)
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
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("image/jpeg", "image/png", "image/webp", *Format)
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
    kind: Literal["picture", "manifest"] = "picture",
) -> Response:
    """The address as the upload gave it, with its query; refused bytes leave nothing behind."""
    place = _path(upload_id, owner, sha256, kind)
    secret = desk.settings.secret_key.get_secret_value()
    verify(place, expires, signature, secret=secret, now=time())
    content = await request.body()
    take = _take if kind == "picture" else _take_manifest
    await run_in_threadpool(take, desk, upload_id, owner, sha256, content)
    return Response(status_code=204)


def _take(desk: Desk, upload_id: UUID, owner: UUID, digest: str, content: bytes) -> None:
    asset = look_at(content, tenant_id=owner, limits=desk.settings.limits)
    _check_digest(asset.digest, digest)
    blob = Blob(asset_key(owner, digest), content, asset.media_type)
    with desk.tracer.step("storage.put"):
        desk.storage.put(blob)
    with desk.sessions.begin() as session:
        if intake.receive(session, upload_id, asset):
            desk.storage.put(blob)


def _take_manifest(desk: Desk, upload_id: UUID, owner: UUID, digest: str, content: bytes) -> None:
    limit = desk.settings.limits.manifest_bytes
    if len(content) > limit:
        raise BodyTooLarge(f"A manifest may have up to {limit:,} bytes.", limit=limit)
    _check_digest(hashlib.sha256(content).hexdigest(), digest)
    with desk.sessions() as session:
        upload = manifests.uploaded(session, owner, upload_id)
    if upload is None:
        raise NotFound(f"There is no upload {upload_id}, or it has expired.")
    desk.storage.put(Blob(manifest_key(owner, digest), content, upload.media_type))


def _check_digest(sent: str, announced: str) -> None:
    if sent != announced:
        reason = {"pointer": "/sha256", "detail": f"the bytes sent have {sent}"}
        raise InvalidRequest("These are not the bytes that were announced.", errors=[reason])


def _place(desk: Desk, tenant_id: UUID, upload_id: UUID, wanted: UploadRequest) -> PresignedUpload:
    """The store's own door where it has one, else ours."""
    listed = format_of(wanted.media_type) is not None
    key = manifest_key if listed else asset_key
    presigned = desk.storage.upload_url(
        key(tenant_id, wanted.sha256),
        sha256=wanted.sha256,
        bytes=wanted.bytes,
        media_type=wanted.media_type,
        expires=SECONDS,
    )
    kind = "manifest" if listed else "picture"
    path = _path(upload_id, tenant_id, wanted.sha256, kind)
    return presigned or _ours(desk.settings, path, wanted)


def _ours(settings: Settings, place: str, wanted: UploadRequest) -> PresignedUpload:
    secret = settings.secret_key.get_secret_value()
    query = sign(place, secret=secret, expires=int(time()) + SECONDS)
    headers = {"Content-Type": wanted.media_type, "Content-Length": str(wanted.bytes)}
    return PresignedUpload(f"{settings.public_url.rstrip('/')}{place}&{query}", headers)


def _path(upload_id: UUID, owner: UUID, digest: str, kind: str) -> str:
    """Says whose bytes will come and which, so that taking them needs no look-up."""
    more = "" if kind == "picture" else f"&kind={kind}"
    return f"/v1/uploads/{upload_id}/content?owner={owner}&sha256={digest}{more}"
