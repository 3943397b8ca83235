"""What a store of pictures promises, and how its keys are laid out."""

import re
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, Protocol
from uuid import UUID

from app.errors import NotFound


class Blob(NamedTuple):
    """Bytes to be stored under a key."""

    key: str
    content: bytes
    media_type: str


class Stored(NamedTuple):
    """What a store says of what it has under a key."""

    key: str
    bytes: int
    at: float  #: when it was stored last, in seconds since 1970, by the store's clock


@dataclass(frozen=True)
class PresignedUpload:
    """How a client brings bytes straight to the store: PUT to `url` with exactly `headers`."""

    url: str
    headers: dict[str, str]


class Storage(Protocol):
    """Where the bytes live. Raises `StorageUnavailable` when trying later may help."""

    def put(self, *blobs: Blob) -> None:
        """
        Store a whole claim group; when it returns, all of it survives a power cut.

        Keys name their content, so storing what is there already is a success.
        """
        ...

    def get(self, key: str) -> bytes:
        """The bytes under `key`; raises `NotFound`."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The bytes under `key` as a file, never all in memory; raises `NotFound`."""
        ...

    def head(self, key: str, amount: int) -> tuple[bytes, int]:
        """The first `amount` bytes under `key`, and how many there are; raises `NotFound`."""
        ...

    def listed(self, folder: str, *, after: str, most: int) -> list[Stored]:
        """
        What lies below `folder/`, in the order of the keys, behind the key `after`.

        At most `most`, up to 1,000; fewer only where there is nothing behind them.
        """
        ...

    def delete(self, *keys: str) -> None:
        """Take these away for good; what is not there is as good as deleted."""
        ...

    def url(self, key: str, *, media_type: str, expires: int) -> str | None:
        """Where a client gets the bytes for `expires` seconds; None: from the API, by path."""
        ...

    def upload_url(
        self, key: str, *, sha256: str | None, bytes: int, media_type: str, expires: int
    ) -> PresignedUpload | None:
        """
        Where a client brings exactly these `bytes` within `expires` seconds; None: to the API.

        `sha256` (hex) binds the content, too.
        """
        ...

    def check(self) -> None:
        """Raise `Misconfigured`, with what to do, unless the store is there and ours to use."""
        ...


def asset_key(tenant_id: UUID, digest: str) -> str:
    """Where an asset lives: tenants apart, and no directory with more than a part of them."""
    return f"assets/{tenant_id}/{digest[:2]}/{digest}"


def manifest_key(tenant_id: UUID, digest: str) -> str:
    """Where an uploaded manifest lies: apart from pictures, which are served."""
    return f"manifests/{tenant_id}/{digest[:2]}/{digest}"


def style_picture_key(owner: UUID | None, digest: str) -> str:
    """Where a style's picture lies: among its owner's assets, or apart, if operators gave it."""
    return asset_key(owner, digest) if owner else f"styles/{digest[:2]}/{digest}"


_KEY: Final = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")


def checked(key: str) -> str:
    """The key, if it has the shape of ours: no dots, so no way out of a root or a prefix."""
    if not _KEY.fullmatch(key):
        raise NotFound("There is no such asset.")
    return key
