"""The manifest of a campaign: which picture became which, in CSV or JSON lines."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import StringIO
from typing import Any

from app.domain.cells import harmless
from app.handover.formats import ManifestFormat
from app.handover.lines import Line


def written(lines: Iterable[Line], kind: ManifestFormat) -> Iterator[bytes]:
    """The manifest, a line at a time."""
    if kind is ManifestFormat.CSV:
        yield _row(Line._fields)
    for line in lines:
        yield _row(map(_cell, line)) if kind is ManifestFormat.CSV else _object(line)


def _row(cells: Iterable[Any]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return harmless(value) if isinstance(value, str) else value


def _object(line: Line) -> bytes:
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in line._asdict().items()
    }
    return json.dumps(values, ensure_ascii=False, default=str).encode() + b"\n"
