"""What `impasto submit` was given: folders, archives, manifests and pictures, as items."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias
from unicodedata import normalize
from zipfile import BadZipFile, ZipFile, ZipInfo

from app.domain.manifest import SUFFIXES, Format
from app.domain.requests import MAX_WORD
from app.errors import BadRequest
from app.manifest import COLUMNS, FILE, Refused, custom_id_of, objects, rows

NUMBERS: Final = ("strength", "keep_colour", "variation")  #: columns of a CSV
PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
ARCHIVE: Final = ".zip"
MAX_ENTRIES: Final = 100_000  #: of one archive
MAX_BYTES: Final = 128 * 2**20  #: of one picture; the service takes no more
MAX_ARCHIVE_BYTES: Final = 64 * 2**30  #: of all pictures of one archive, unpacked
MAX_RATIO: Final = 200  #: unpacked bytes for each packed one; pictures hardly shrink
SMALL: Final = 2**20  #: bytes unpacked that no ratio makes dangerous
_DRIVE: Final = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Picture:
    """A picture that is here; its bytes are read when they are wanted."""

    custom_id: str
    place: str  #: for people
    read: Callable[[], bytes]
    fields: dict[str, Any] = field(default_factory=dict)  #: of the item, besides its input


@dataclass(frozen=True)
class Elsewhere:
    """An item whose picture is behind an address, or in an upload already."""

    custom_id: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """What became no item, and why; `fault` says whether somebody should know."""

    place: str
    reason: str
    fault: bool = True


Entry: TypeAlias = Picture | Elsewhere | Skipped


def gather(sources: list[Path], stack: ExitStack) -> Iterator[Entry]:
    """
    Everything that the sources hold, in the order of their names.

    Archives stay open as long as `stack`. Raises `BadRequest` for one that cannot be opened.
    """
    for source in sources:
        suffix = source.suffix.lower()
        if source.is_dir():
            yield from _folder(source)
        elif suffix == ARCHIVE:
            yield from _archive(source, stack)
        elif suffix in SUFFIXES:
            yield from _manifest(source, SUFFIXES[suffix])
        else:
            yield _file(source, source.name)


def _folder(root: Path) -> Iterator[Entry]:
    for directory, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory, name)
            yield _file(path, path.relative_to(root).as_posix())


def _file(path: Path, name: str) -> Entry:
    if reason := _no_picture(PurePosixPath(name)):
        return Skipped(_told(str(path)), reason, fault=False)
    if not path.is_file():
        return Skipped(_told(str(path)), "there is no such file")
    return Picture(_id(name), _told(str(path)), path.read_bytes)


def _no_picture(name: PurePosixPath) -> str | None:
    if any(part.startswith((".", "__MACOSX")) for part in name.parts):
        return "hidden"
    if name.suffix.lower() not in PICTURES:
        return "no JPEG, PNG or WebP by its name"
    return None


def _archive(path: Path, stack: ExitStack) -> Iterator[Entry]:
    """Nothing is unpacked to a disk: a name in an archive is a name, never a place."""
    try:
        archive = stack.enter_context(ZipFile(path))
    except (BadZipFile, OSError, NotImplementedError) as error:
        raise BadRequest(f"{path} cannot be opened as a ZIP: {error}.") from error
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_ENTRIES:
        raise BadRequest(f"{path} holds {len(infos):,} files; at most {MAX_ENTRIES:,} are taken.")
    if sum(info.file_size for info in infos) > MAX_ARCHIVE_BYTES:
        raise BadRequest(f"{path} would unpack to more than {MAX_ARCHIVE_BYTES >> 30} GiB.")
    for info in sorted(infos, key=lambda info: info.filename):
        yield _member(archive, info, path)


def _member(archive: ZipFile, info: ZipInfo, path: Path) -> Entry:
    place = _told(f"{path.name}:{info.filename}")
    if reason := _unsafe(info):
        return Skipped(place, reason)
    name = PurePosixPath(info.filename)
    if reason := _no_picture(name):
        return Skipped(place, reason, fault=False)
    if reason := _bomb(info):
        return Skipped(place, reason)
    return Picture(_id(name.as_posix()), place, lambda: _unpacked(archive, info))


def _unsafe(info: ZipInfo) -> str | None:
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or _DRIVE.match(info.filename):
        return "its name is an absolute path"
    if ".." in name.parts:
        return "its name leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a symbolic link"
    if info.flag_bits & 1:
        return "encrypted"
    return None


def _bomb(info: ZipInfo) -> str | None:
    if info.file_size > MAX_BYTES:
        return f"more than {MAX_BYTES >> 20} MiB unpacked"
    if info.file_size > max(SMALL, MAX_RATIO * info.compress_size):
        return f"unpacks to more than {MAX_RATIO} times its size"
    return None


def _unpacked(archive: ZipFile, info: ZipInfo) -> bytes:
    """At most what its header says: more is an error. Raises `BadRequest`."""
    try:
        with archive.open(info) as file:
            content = file.read(info.file_size + 1)
    except Exception as error:  # BadZipFile, zlib.error, LZMAError: no common base
        raise BadRequest(f"it cannot be unpacked: {error}") from error
    if len(content) > info.file_size:
        raise BadRequest("it holds more than its header says")
    return content


def _manifest(path: Path, kind: Format) -> Iterator[Entry]:
    """A manifest whose column `file` names pictures beside it."""
    with path.open("rb") as file:
        lines = rows(file, (*COLUMNS, FILE)) if kind is Format.CSV else objects(file)
        for line in lines:
            place = f"{path.name}:{line.number}"
            if isinstance(line, Refused):
                yield Skipped(place, str(line.error))
            else:
                fields = _numbered(line.fields) if kind is Format.CSV else line.fields
                yield _line(path.parent, place, fields)


def _numbered(cells: dict[str, Any]) -> dict[str, Any]:
    """Cells as the API's JSON has them; what is no number stays, for the service to refuse."""
    return {name: _number(cell) if name in NUMBERS else cell for name, cell in cells.items()}


def _number(cell: str) -> float | str:
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if isfinite(number) else cell


def _line(folder: Path, place: str, fields: dict[str, Any]) -> Entry:
    custom_id = custom_id_of(fields)
    if custom_id is None:
        return Skipped(place, "it has no custom_id")
    more = {name: value for name, value in fields.items() if name not in (FILE, "custom_id")}
    name = fields.get(FILE)
    if name is None:
        # A CSV has the address in a column of its own, JSONL where the API has it.
        where = {key: more.pop(key) for key in ("url", "upload_id") if key in more}
        return Elsewhere(custom_id, {"input": where, **more} if where else more)
    if not isinstance(name, str) or _no_picture(PurePosixPath(Path(name).name)):
        return Skipped(place, f"{_told(str(name))}: no JPEG, PNG or WebP by its name")
    path = folder / name
    if not path.is_file():
        return Skipped(place, f"there is no file {_told(name)}")
    return Picture(custom_id, place, path.read_bytes, more)


def _id(name: str) -> str:
    """A path as a `custom_id`: composed characters, because some systems write them apart."""
    text = normalize("NFC", _told(name))
    return text if len(text) <= MAX_WORD else f"...{text[3 - MAX_WORD :]}"


def _told(text: str) -> str:
    """A file's name, whatever bytes it has, as text that can be sent and printed."""
    return text.encode(errors="replace").decode()
