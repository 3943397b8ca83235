"""Manifests that are somewhere else: in an upload, or in the keys of a bucket."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from app.buckets import SCHEME, Found, Place, listing, permitted
from app.db import Sessions, manifests
from app.db.models import Tenant
from app.domain.manifest import Format
from app.domain.requests import MAX_WORD, CampaignItem, Input, ManifestRequest
from app.errors import BodyTooLarge, ClientError, InvalidImage, InvalidLine, NotFound, UnknownUpload
from app.manifest import Entry, Line, Refused, entries, shown
from app.settings import Settings
from app.storage import Storage, manifest_key

PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


@contextmanager
def listed(
    settings: Settings,
    sessions: Sessions,
    storage: Storage,
    tenant_id: UUID,
    wanted: ManifestRequest,
) -> Iterator[Iterable[Entry]]:
    """
    The lines of a manifest, for as long as its file is open.

    Raises `UnknownUpload`, and for a prefix `SourceForbidden` or, while it is read,
    `SourceUnreachable`.
    """
    if wanted.upload_id is not None:
        with _opened(sessions, storage, tenant_id, wanted.upload_id) as lines:
            yield lines
        return
    place = Place.of(wanted.s3_prefix or "")
    with sessions() as session:
        tenant = session.get_one(Tenant, tenant_id).name
    config = permitted(settings.buckets, place, tenant)
    limit = settings.limits.body_bytes
    # A "folder" itself is an object of no bytes in some tools' buckets.
    objects = (one for one in listing(config, place) if not one.key.endswith("/"))
    yield (_entry(place, number, one, limit) for number, one in enumerate(objects, 1))


@contextmanager
def _opened(
    sessions: Sessions, storage: Storage, tenant_id: UUID, upload_id: UUID
) -> Iterator[Iterator[Entry]]:
    with sessions() as session:
        upload = manifests.uploaded(session, tenant_id, upload_id)
    if upload is None:
        raise UnknownUpload(f"There is no manifest {upload_id}, or it has expired.")
    try:
        file = storage.open(manifest_key(tenant_id, upload.sha256 or ""))
    except NotFound:
        raise UnknownUpload(f"The bytes of upload {upload_id} have not arrived.") from None
    with file:
        yield entries(file, Format(upload.media_type))


def _entry(place: Place, number: int, found: Found, limit: int) -> Entry:
    """An object as a line: the item is named by what its key has beyond the prefix's last `/`."""
    name = found.key[place.key.rfind("/") + 1 :]
    try:
        _check(found, name, limit)
    except ClientError as error:
        return Refused(number, shown(name)[:MAX_WORD], error)
    url = f"{SCHEME}{place.bucket}/{found.key}"
    return Line(number, CampaignItem(custom_id=name, input=Input(url=url)))


def _check(found: Found, name: str, limit: int) -> None:
    if not found.key.lower().endswith(PICTURES):
        raise InvalidImage("Its name ends like no picture that we read: JPEG, PNG or WebP.")
    if found.bytes > limit:
        raise BodyTooLarge(f"A picture may have up to {limit:,} bytes.", limit=limit)
    if len(name) > MAX_WORD or "\x00" in name or len(found.key) > 1024:
        raise InvalidLine(f"A custom_id has at most {MAX_WORD} characters.")
