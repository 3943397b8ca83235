"""Any bytes are lines that can be used and lines that cannot, each under its number."""

from io import BytesIO
from typing import Final

from app.domain.manifest import Format
from app.errors import InvalidManifest
from app.manifest import Line, entries

KINDS: Final = (Format.CSV, Format.JSONL)


def manifest(content: bytes) -> str:
    """The first byte picks CSV or JSON lines. Says in a word how it ended."""
    kind, file = KINDS[content[0] % 2 if content else 0], BytesIO(content[1:])
    last, used = 0, 0
    try:
        for entry in entries(file, kind):
            assert entry.number > last, "a line has come twice, or out of turn"
            last, used = entry.number, used + isinstance(entry, Line)
            if isinstance(entry, Line):
                entry.item.model_dump_json()
            else:
                assert str(entry.error).strip()
                assert "\x00" not in (entry.custom_id or "")
                (entry.custom_id or "").encode()
                str(entry.error).encode()
    except InvalidManifest as error:
        str(error).encode()
        return "refused"
    return "used" if used else "empty"
