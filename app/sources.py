"""Where content images come from: a request's body, an upload, or an address we fetch later."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy.orm import Session

from app.addresses import check_url
from app.db import intake
from app.db.intake import NewAsset
from app.db.models import Asset, AssetKind, Upload
from app.domain.requests import Input
from app.errors import NotFound, UnknownUpload
from app.images import inspect
from app.settings import LimitSettings
from app.storage import Storage, asset_key

HEADER_BYTES = 256 * 1024  #: enough of a file for its header, profiles and thumbnails included


@dataclass(frozen=True, slots=True)
class Source:
    """A job's picture by the name it came under, and as an asset once its bytes are here."""

    name: str
    asset: NewAsset | Asset | None = None


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


class Sources:
    """The inputs of one request, with their uploads looked up together."""

    def __init__(
        self,
        session: Session,
        storage: Storage,
        inputs: Iterable[Input],
        *,
        tenant_id: UUID,
        limits: LimitSettings,
        allow_private: bool,
    ) -> None:
        self._session, self._storage = session, storage
        self._tenant_id, self._limits, self._allow_private = tenant_id, limits, allow_private
        ids = [given.upload_id for given in inputs if given.upload_id is not None]
        self._uploads = intake.assets_of(session, tenant_id, ids) if ids else {}

    def find(self, given: Input) -> Source:
        """
        The picture behind an input.

        Raises `UnknownUpload`, `SourceForbidden`, or what is wrong with the picture itself.
        """
        if given.url is not None:
            check_url(given.url, allow_private=self._allow_private)
            return Source(name_of(given))
        upload, asset = self._uploads.get(given.upload_id, (None, None))  # type: ignore[arg-type]
        if upload is None:
            raise UnknownUpload(f"There is no upload {given.upload_id}, or it has expired.")
        return Source(name_of(given), asset or self._arrive(upload))

    def _arrive(self, upload: Upload) -> NewAsset:
        """Bytes that went straight to the store: look at their header before they are used."""
        if upload.sha256 is None:
            raise UnknownUpload(f"The bytes of upload {upload.id} have not arrived.")
        key = asset_key(self._tenant_id, upload.sha256)
        try:
            head, size = self._storage.head(key, HEADER_BYTES)
        except NotFound:
            raise UnknownUpload(f"The bytes of upload {upload.id} have not arrived.") from None
        header = inspect(head, self._limits)
        asset = NewAsset(
            tenant_id=self._tenant_id,
            digest=upload.sha256,  # the store refused other bytes: the URL was signed with it
            kind=AssetKind.CONTENT,
            media_type=header.media_type,
            bytes=size,
            width=header.width,
            height=header.height,
        )
        intake.receive(self._session, upload.id, asset)
        return asset


def name_of(given: Input) -> str:
    """How an input is named in the job's row."""
    return given.url or f"upload:{given.upload_id}"
