"""
Manifests, line by line: JSONL or CSV, in constant memory whatever they hold.

A line that cannot be used is an answer like one that can; only what concerns all lines raises.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import starmap
from typing import Any, BinaryIO, Final, TypeAlias

from pydantic import ValidationError
from pydantic_core import from_json

from app.domain.manifest import ALIASES, SUFFIXES, Format
from app.domain.requests import MAX_WORD, CampaignItem
from app.errors import ClientError, InvalidLine, InvalidManifest, LineTooLong, NotUtf8

MAX_LINES: Final = 50_000
LONGEST_LINE: Final = 64 * 1024  #: bytes: an item with its metadata and twenty variants
COLUMNS: Final = (
    *("custom_id", "url", "upload_id"),
    *("preset", "style", "strength", "keep_colour", "variation"),
)
FILE: Final = "file"  #: of manifests on a disk: `impasto submit` uploads it
METADATA: Final = "metadata."  #: what columns of metadata begin with
_DELIMITERS: Final = ",;\t"  #: a comma; what some spreadsheets write instead
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Raw:
    """A line as it was written: of CSV the cells by column, of JSONL an object."""

    number: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """An item, and where it stands."""

    number: int
    item: CampaignItem


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a line cannot be used."""

    number: int
    custom_id: str | None
    error: ClientError


Entry: TypeAlias = Line | Refused


def format_of(media_type: str, name: str = "") -> Format | None:
    """What a media type says, or else a file's name; None for anything else."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind in ALIASES:
        return ALIASES[kind]
    if kind in Format.__members__.values():
        return Format(kind)
    return next((its for suffix, its in SUFFIXES.items() if name.lower().endswith(suffix)), None)


def entries(file: BinaryIO, kind: Format) -> Iterator[Entry]:
    """Every line that says something. Raises `InvalidManifest` for a header of no use."""
    if kind is Format.JSONL:
        yield from filter(None, starmap(_parsed, _Lines(file)))
        return
    for row in rows(file, COLUMNS):
        yield _item(row) if isinstance(row, Raw) else row


def rows(file: BinaryIO, columns: tuple[str, ...]) -> Iterator[Raw | Refused]:
    """
    The rows of a CSV by column, empty cells left out.

    Raises `InvalidManifest` for a header that is missing or holds other columns than these.
    """
    table = _Table(file)
    names = _header(table, columns)
    for number, cells, wrong in table:
        if wrong is not None:
            named = _named(number, cells, names)
            fields = named.fields if isinstance(named, Raw) else None
            yield Refused(number, custom_id_of(fields), wrong)
        elif any(cells):
            yield _named(number, cells, names)


def objects(file: BinaryIO) -> Iterator[Raw | Refused]:
    """The objects of a JSONL file, whatever they hold; blank lines left out."""
    for number, line in _Lines(file):
        if line is None:
            yield Refused(number, None, _too_long())
        elif line.strip():
            yield _object(number, line)


def custom_id_of(fields: Any) -> str | None:
    """What a line calls itself, if that can be told."""
    name = fields.get("custom_id") if isinstance(fields, dict) else None
    return shown(name)[:MAX_WORD] if isinstance(name, str) and name else None


def shown(text: str) -> str:
    """A text that Postgres keeps, whatever the caller wrote."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def findings(error: ValidationError) -> str:
    """The first of what pydantic found, as a sentence."""
    reasons = error.errors(include_url=False, include_context=False, include_input=False)
    place = "".join(f"/{part}" for part in reasons[0]["loc"])
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return shown(f"{place or 'The line'}: {reasons[0]['msg']}{more}.")


class _Lines:
    """Physical lines of a file with their numbers; of one that is too long, only that it was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> tuple[int, bytes | None]:
        """The number, and the bytes with their end; None in place of more than `LONGEST_LINE`."""
        self._number += 1
        line = self._file.readline(LONGEST_LINE + 2)
        if self._number == 1:
            line = _marked(line)
        if not line:
            raise StopIteration
        if len(line) < LONGEST_LINE + 2 or line.endswith(b"\n"):
            return self._number, line
        while line and not line.endswith(b"\n"):
            line = self._file.readline(LONGEST_LINE)
        return self._number, None


def _marked(line: bytes) -> bytes:
    """The first line without the mark of its encoding. Raises `InvalidManifest` for UTF-16."""
    if line.startswith(_UTF16):
        raise InvalidManifest("The manifest is UTF-16; save it as UTF-8.")
    return line.removeprefix(_BOM) or b"\n"


def _parsed(number: int, line: bytes | None) -> Entry | None:
    """One line of JSONL; None if it is blank."""
    if line is None:
        return Refused(number, None, _too_long())
    try:
        return Line(number, CampaignItem.model_validate_json(line))
    except ValidationError as error:
        return _refused(number, line, error) if line.strip() else None


def _refused(number: int, line: bytes, error: ValidationError) -> Refused:
    row = _object(number, line)
    if isinstance(row, Refused):
        return row
    return Refused(number, custom_id_of(row.fields), InvalidLine(findings(error)))


def _object(number: int, line: bytes) -> Raw | Refused:
    try:
        fields = from_json(line.decode(), allow_inf_nan=False)
    except UnicodeDecodeError as broken:
        return Refused(number, None, _not_utf8(broken))
    except ValueError as broken:
        return Refused(number, None, InvalidLine(shown(f"Not JSON: {broken}.")))
    if not isinstance(fields, dict):
        return Refused(number, None, InvalidLine("A line is one JSON object."))
    return Raw(number, fields)


class _Table:
    """
    The records of a CSV: each with its first line's number, its cells, and what is wrong with it.

    A record that never closes its quote is one bad line: reading goes on with the next.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Lines(file)
        self._again: deque[tuple[int, bytes | None]] = deque()
        self._taken: list[tuple[int, bytes | None]] = []
        self._bytes = 0
        self._broken: UnicodeDecodeError | None = None
        first = next(self._lines, None)
        if first is not None:
            self._again.append(first)
        delimiter = _delimiter((first and first[1]) or b"")
        self._reader = csv.reader(_Feed(self._line), delimiter=delimiter, strict=True)

    def __iter__(self) -> "_Table":
        return self

    def __next__(self) -> tuple[int, list[str], ClientError | None]:
        self._taken.clear()
        self._bytes, self._broken = 0, None
        try:
            cells = next(self._reader)
        except csv.Error as error:
            return self._given_back(InvalidLine(shown(f"Not CSV: {error}.")))
        except LineTooLong as error:
            return self._given_back(error)
        wrong = None if self._broken is None else _not_utf8(self._broken)
        return self._taken[0][0], cells, wrong

    def _given_back(self, error: ClientError) -> tuple[int, list[str], ClientError]:
        (number, _), *others = self._taken
        self._again.extendleft(reversed(others))
        if others and isinstance(error, LineTooLong):
            error = InvalidLine("Not CSV: a quote is opened here and not closed.")
        return number, [], error

    def _line(self) -> str:
        """The next physical line, as csv wants them. Raises `StopIteration` behind the last."""
        number, line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append((number, line))
        if line is None:
            raise _too_long()
        self._bytes += len(line)
        if self._bytes > LONGEST_LINE + 2:
            raise _too_long()
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self._broken = error
            return line.decode(errors="surrogateescape")


class _Feed:
    """An iterator that outlives what it raises, as no generator does."""

    def __init__(self, line: Callable[[], str]) -> None:
        self._line = line

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        return self._line()


def _delimiter(header: bytes) -> str:
    """The one that the header has most of."""
    return max(_DELIMITERS, key=lambda one: header.count(one.encode()))


def _header(table: _Table, columns: tuple[str, ...]) -> list[str]:
    _, cells, wrong = next(table, (1, [], None))
    if wrong is not None:
        raise InvalidManifest(f"The header: {wrong}")
    names = [cell.strip() for cell in cells]
    if not any(names):
        raise InvalidManifest("The manifest is empty; its first line names the columns.")
    known = {*columns, *(name for name in names if name.startswith(METADATA))}
    if unknown := [name for name in names if name not in known]:
        raise InvalidManifest(
            f"There is no column {shown(unknown[0])[:80]!r}; there are {', '.join(columns)} and "
            f"{METADATA}NAME."
        )
    if len(set(names)) < len(names):
        raise InvalidManifest("The header names a column twice.")
    if "custom_id" not in names or not {"url", "upload_id", FILE} & set(names):
        raise InvalidManifest("A manifest has the columns custom_id and url, or upload_id.")
    return names


def _named(number: int, cells: list[str], names: list[str]) -> Raw | Refused:
    if len(cells) > len(names):
        reason = f"It has {len(cells)} cells, and the header has {len(names)}."
        return Refused(number, None, InvalidLine(reason))
    fields: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=False):
        if cell and name.startswith(METADATA):
            fields.setdefault("metadata", {})[name.removeprefix(METADATA)] = cell
        elif cell:
            fields[name] = cell
    return Raw(number, fields)


def _item(row: Raw) -> Entry:
    """A row of a CSV as an item."""
    fields = row.fields
    places = {name: fields.pop(name) for name in ("url", "upload_id") if name in fields}
    try:
        return Line(
            row.number, CampaignItem.model_validate({**fields, "input": places}, strict=False)
        )
    except ValidationError as error:
        return Refused(row.number, custom_id_of(fields), InvalidLine(findings(error)))


def _too_long() -> LineTooLong:
    return LineTooLong(f"A line has at most {LONGEST_LINE:,} bytes.", limit=LONGEST_LINE)


def _not_utf8(error: UnicodeDecodeError) -> NotUtf8:
    return NotUtf8(f"Byte {error.start + 1} of the line is not UTF-8: {error.reason}.")
