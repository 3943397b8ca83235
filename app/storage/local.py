"""A directory as a store: for one machine, with the contract and the errors of a bucket."""

import ctypes
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final

from app.errors import Misconfigured, NotFound, StorageUnavailable
from app.storage.contract import Blob, PresignedUpload, Stored, checked

log = logging.getLogger(__name__)

STALE: Final = 24 * 3600  #: seconds; nobody writes one picture for so long
_ABSENT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStorage:
    """One file per key under `root`, on a local file system; drafts apart, in `.drafts`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._drafts = self.root / ".drafts"  # no key has a dot

    def put(self, *blobs: Blob) -> None:
        if not blobs:
            return
        try:
            self._drafts.mkdir(parents=True, exist_ok=True)
            for blob in blobs:
                _replace(self._draft(), self._place(blob.key), blob.content)
            _flush(self.root)
        except OSError as error:
            raise StorageUnavailable(f"The storage directory: {error.strerror}.") from error

    def get(self, key: str) -> bytes:
        try:
            return self._place(key).read_bytes()
        except _ABSENT:
            raise NotFound("There is no such asset.") from None
        except OSError as error:
            raise StorageUnavailable(f"The storage directory: {error.strerror}.") from error

    def open(self, key: str) -> BinaryIO:
        try:
            return self._place(key).open("rb")
        except _ABSENT:
            raise NotFound("There is no such asset.") from None
        except OSError as error:
            raise StorageUnavailable(f"The storage directory: {error.strerror}.") from error

    def head(self, key: str, amount: int) -> tuple[bytes, int]:
        try:
            with self._place(key).open("rb") as file:
                return file.read(amount), os.fstat(file.fileno()).st_size
        except _ABSENT:
            raise NotFound("There is no such asset.") from None
        except OSError as error:
            raise StorageUnavailable(f"The storage directory: {error.strerror}.") from error

    def listed(self, folder: str, *, after: str, most: int) -> list[Stored]:
        try:
            return list(islice(_walk(self._place(folder), folder, after), most))
        except OSError as error:
            raise StorageUnavailable(f"The storage directory: {error.strerror}.") from error

    def delete(self, *keys: str) -> None:
        if not keys:
            return
        try:
            for key in keys:
                with suppress(*_ABSENT):
                    self._place(key).unlink()
            _flush(self.root)
        except OSError as error:
            raise StorageUnavailable(f"The storage directory: {error.strerror}.") from error

    def path(self, key: str) -> Path:
        """The file under `key`, for the API to serve, ranges included; raises `NotFound`."""
        path = self._place(key)
        if not path.is_file():
            raise NotFound("There is no such asset.")
        return path

    def url(self, key: str, *, media_type: str, expires: int) -> str | None:
        checked(key)
        return None

    def upload_url(
        self, key: str, *, sha256: str | None, bytes: int, media_type: str, expires: int
    ) -> PresignedUpload | None:
        return None

    def check(self) -> None:
        try:
            self._drafts.mkdir(parents=True, exist_ok=True)
            probe = self._draft()
            probe.write_bytes(b"x")
            probe.unlink()
        except OSError as error:
            raise Misconfigured(
                f"Cannot write to the storage directory {self.root}: {error.strerror}. "
                "Make it writable, or name another one in IMPASTO_STORAGE__ROOT."
            ) from error

    def forget_drafts(self) -> None:
        """Remove what killed processes left half written; the young may be somebody's work."""
        try:
            for draft in self._drafts.glob("*"):
                with suppress(FileNotFoundError):  # put in place, or forgotten, by somebody else
                    if draft.stat().st_mtime < time.time() - STALE:
                        draft.unlink()
        except OSError as error:
            log.warning("drafts stay in %s: %s", self._drafts, error.strerror)

    def _draft(self) -> Path:
        return self._drafts / token_hex(8)

    def _place(self, key: str) -> Path:
        return self.root / checked(key)


def _replace(draft: Path, path: Path, content: bytes) -> None:
    """
    Put the whole content in place at once.

    Also when the file is there: after a power cut it may be a name without its bytes, and
    storing it again heals it.
    """
    try:
        draft.write_bytes(content)
        try:
            draft.replace(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _walk(directory: Path, folder: str, after: str) -> Iterator[Stored]:
    """Files in the order of their keys; whole directories that come before are not entered."""
    for name, entry in _sorted(directory):
        key = f"{folder}/{name}"
        if key.endswith("/"):
            if after < key or after.startswith(key):
                yield from _walk(directory / entry.name, key[:-1], after)
        elif key > after:
            with suppress(FileNotFoundError):  # deleted in this moment
                facts = entry.stat()
                yield Stored(key, facts.st_size, facts.st_mtime)


def _sorted(directory: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """What lies there as it stands in keys: a directory's name goes on with a slash."""
    with suppress(*_ABSENT), os.scandir(directory) as entries:
        return sorted(
            ((f"{one.name}/" if one.is_dir() else one.name, one) for one in entries),
            key=lambda pair: pair[0],
        )
    return []


_libc: Final = ctypes.CDLL(None, use_errno=True)


def _flush(directory: Path) -> None:
    """
    Force the directory's file system to disk: files, names and new directories.

    Once per group, because an fsync per small picture costs ten times its CPU (230 against
    25 microseconds) and a hundred times its wall time.
    """
    if not hasattr(_libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
