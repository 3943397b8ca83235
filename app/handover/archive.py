"""The pictures of a campaign as one ZIP, made while it is sent: nothing of it waits on a disk."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from io import RawIOBase
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import IO, Final
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.errors import NotFound
from app.handover.formats import ManifestFormat
from app.handover.lines import Line
from app.handover.manifest import written
from app.storage import Storage, asset_key

SUMS: Final = "SHA256SUMS"  #: what `sha256sum -c` reads
MANIFEST: Final = "manifest.csv"
IN_MEMORY: Final = 2**20  #: bytes of either; the rest waits in a file


class _Outlet(RawIOBase):
    """A file that cannot be sought: what was written is taken away and sent."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes
        self._written.append(bytes(content))
        return len(content)

    def taken(self) -> bytes:
        content = b"".join(self._written)
        self._written.clear()
        return content


def archive(storage: Storage, tenant_id: UUID, lines: Iterable[Line]) -> Iterator[bytes]:
    """
    A ZIP (zip64 where it must) of every finished picture, its manifest and its checksums.

    Pictures are stored as they are: they are compressed already, and stay byte for byte what
    was signed. One of them is in memory at a time. Raises `StorageUnavailable` in the middle:
    the archive is cut short then, and no program takes it for whole.
    """
    outlet = _Outlet()
    with ZipFile(outlet, "w") as file, _aside() as manifest, _aside() as sums:
        for text in written(_pictures(file, storage, tenant_id, lines, sums), ManifestFormat.CSV):
            manifest.write(text)
            if content := outlet.taken():
                yield content
        for name, its in ((MANIFEST, manifest), (SUMS, sums)):
            its.seek(0)
            with file.open(_entry(name, None, ZIP_DEFLATED), "w", force_zip64=True) as entry:
                copyfileobj(its, entry)
            yield outlet.taken()
    yield outlet.taken()


def _pictures(
    file: ZipFile, storage: Storage, tenant_id: UUID, lines: Iterable[Line], sums: IO[bytes]
) -> Iterator[Line]:
    """The lines as they pass, each after its picture was put into the archive."""
    for line in lines:
        if not (line.file and line.sha256):
            yield line
            continue
        try:
            content = storage.get(asset_key(tenant_id, line.sha256))
        except NotFound:  # erased since: the manifest says which, and the others go on
            yield line._replace(file=None)
            continue
        file.writestr(_entry(line.file, line.finished_at, ZIP_STORED), content)
        sums.write(f"{line.sha256}  {line.file}\n".encode())
        yield line


def _aside() -> SpooledTemporaryFile[bytes]:
    return SpooledTemporaryFile(max_size=IN_MEMORY)


def _entry(name: str, at: datetime | None, compression: int) -> ZipInfo:
    # The format's clock starts in 1980; without a time there is none.
    entry = ZipInfo(name, at.timetuple()[:6] if at else (1980, 1, 1, 0, 0, 0))
    entry.compress_type = compression
    entry.external_attr = 0o644 << 16
    return entry
