"""Moments in queries are written out: a bare number is seconds to one and a year to another."""

import re
from typing import Any, Final

from pydantic import BeforeValidator

_NUMBER: Final = re.compile(r"[+-]?\d*\.?\d*(e[+-]?\d+)?", re.IGNORECASE)


def _written_out(given: Any) -> Any:
    if isinstance(given, str) and _NUMBER.fullmatch(given.strip()):
        raise ValueError("a moment is written as 2026-11-24T12:00:00Z")
    return given


WRITTEN_OUT: Final = BeforeValidator(_written_out)
