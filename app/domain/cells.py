"""Text in tables that a spreadsheet will open."""

from typing import Final

#: What begins a formula, in full width too, or is skipped on the way to one (OWASP).
_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def harmless(text: str) -> str:
    """The text as it can stand in a cell: an apostrophe keeps it from being worked out."""
    return f"'{text}" if text.startswith(_FORMULA) else text
