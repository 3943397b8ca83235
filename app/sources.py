"""Where content images come from: a request's body, an upload, or an address we fetch later."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.addresses import check_url
from app.buckets import SCHEME, Place, permitted
from app.db import intake, uses
from app.db.intake import NewAsset
from app.db.models import AssetKind, Tenant
from app.domain.parameters import Mask
from app.domain.requests import Input, MaskRequest
from app.errors import ClientError, ImpastoError, InvalidImage, NotFound, UnknownUpload
from app.images import inspect
from app.settings import BucketSettings, LimitSettings
from app.storage import Blob, Storage, asset_key

HEADER_BYTES: Final = 256 * 1024  #: enough of most files for header, profiles and thumbnails
LOOKS: Final = 16  #: uploads looked at together; each is a round trip to the store


class Picture(Protocol):
    """What planning needs to know of a picture that is here; sizes in pixels."""

    @property
    def digest(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A job's picture by the name it came under, and its asset once its bytes are here."""

    name: str
    asset: Picture | None = None


def look_at(content: bytes, *, tenant_id: UUID, limits: LimitSettings) -> NewAsset:
    """What a picture would be as an asset. Raises `InvalidImage` or `ImageTooLarge`."""
    header = inspect(content, limits)
    return NewAsset(
        tenant_id=tenant_id,
        digest=sha256(content).hexdigest(),
        kind=AssetKind.CONTENT,
        media_type=header.media_type,
        bytes=len(content),
        width=header.width,
        height=header.height,
    )


@dataclass(frozen=True, slots=True)
class Brought:
    """A picture whose bytes came with the request: looked at, not stored."""

    asset: NewAsset
    content: bytes

    @property
    def blob(self) -> Blob:
        key = asset_key(self.asset.tenant_id, self.asset.digest)
        return Blob(key, self.content, self.asset.media_type)


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask that came with the request, and how soft its edge is to be."""

    content: bytes
    feather: float

    def looked_at(self, tenant_id: UUID, limits: LimitSettings) -> Brought:
        """Raises `InvalidImage` or `ImageTooLarge`, naming the mask."""
        with naming_the_mask():
            return Brought(look_at(self.content, tenant_id=tenant_id, limits=limits), self.content)


@contextmanager
def naming_the_mask() -> Iterator[None]:
    """Of two pictures in one request, say which one is refused."""
    try:
        yield
    except ImpastoError as error:
        raise type(error)(f"mask: {error}", **error.extensions) from error


class Sources:
    """The inputs and masks of one request, with their uploads looked up together."""

    def __init__(
        self,
        session: Session,
        storage: Storage,
        inputs: Iterable[Input],
        *,
        tenant_id: UUID,
        limits: LimitSettings,
        allow_private: bool,
        buckets: Sequence[BucketSettings] = (),
        masks: Iterable[MaskRequest | None] = (),
    ) -> None:
        self._session, self._buckets = session, buckets
        self._storage, self._tenant_id = storage, tenant_id
        self._limits, self._allow_private = limits, allow_private
        ids = {given.upload_id for given in inputs if given.upload_id is not None}
        ids |= {mask.upload_id for mask in masks if mask is not None}
        uploads = intake.uploads(session, tenant_id, ids) if ids else []
        self._pictures: dict[UUID, Picture | ClientError] = {
            row.id: row for row in uploads if row.digest
        }
        self._arrive(session, [row for row in uploads if not row.digest])

    def find(self, given: Input) -> Source:
        """
        The picture behind an input.

        Raises `UnknownUpload`, `SourceForbidden`, or what is wrong with the picture itself.
        """
        if given.upload_id is None:
            self._check(given.url or "")
            return Source(name_of(given))
        return Source(name_of(given), self._uploaded(given.upload_id))

    def mask(self, wanted: MaskRequest | None) -> Mask | None:
        """The mask behind a wish for one. Raises what `find` does, naming the mask."""
        if wanted is None:
            return None
        with naming_the_mask():
            picture = self._uploaded(wanted.upload_id)
        return Mask(digest=picture.digest, feather=wanted.feather)

    def _check(self, url: str) -> None:
        if not url.startswith(SCHEME):
            check_url(url, allow_private=self._allow_private)
            return
        tenant = self._session.get_one(Tenant, self._tenant_id).name
        permitted(self._buckets, Place.of(url), tenant)

    def _uploaded(self, upload_id: UUID) -> Picture:
        picture = self._pictures.get(upload_id)
        if picture is None:
            raise UnknownUpload(f"There is no upload {upload_id}, or it has expired.")
        if isinstance(picture, ClientError):
            raise picture
        return picture

    def _arrive(self, session: Session, uploads: list[Row[Any]]) -> None:
        """Bytes that went straight to the store are looked at before they are used."""
        if not uploads:
            return
        with ThreadPoolExecutor(min(LOOKS, len(uploads)), "look") as threads:
            looks = list(threads.map(self._look, uploads))
        ids = [row.id for row in uploads]
        self._pictures |= dict(zip(ids, looks, strict=True))
        arrived = {
            row: asset
            for row, asset in zip(uploads, looks, strict=True)
            if isinstance(asset, NewAsset)
        }
        again = intake.add_assets(session, arrived.values())
        for row in [row for row, asset in arrived.items() if asset.digest in again]:
            self._pictures[row.id] = look = self._look(row)  # an erasure may have come between
            if not isinstance(look, NewAsset):
                uses.gone(session, self._tenant_id, [arrived.pop(row).digest])
        intake.mark_arrived(session, [row.id for row in arrived])

    def _look(self, upload: Row[Any]) -> NewAsset | ClientError:
        try:
            return self._look_at_stored(upload.sha256 or "")
        except NotFound:
            return UnknownUpload(f"The bytes of upload {upload.id} have not arrived.")
        except ClientError as error:
            return error

    def _look_at_stored(self, digest: str) -> NewAsset:
        key = asset_key(self._tenant_id, digest)
        head, size = self._storage.head(key, HEADER_BYTES)
        try:
            header = inspect(head, self._limits)
        except InvalidImage:
            if size <= len(head):
                raise
            # A WebP has its metadata behind its pixels, and some headers are very long.
            header = inspect(self._storage.get(key), self._limits)
        return NewAsset(
            tenant_id=self._tenant_id,
            digest=digest,  # the store refused other bytes: the URL was signed with it
            kind=AssetKind.CONTENT,
            media_type=header.media_type,
            bytes=size,
            width=header.width,
            height=header.height,
        )


def name_of(given: Input) -> str:
    """How an input is named in the job's row."""
    return given.url or f"upload:{given.upload_id}"
