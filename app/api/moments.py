"""Moments in queries: written out, and kept in UTC."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_NUMBER: Final = re.compile(r"[+-]?\d*\.?\d*(e[+-]?\d+)?", re.IGNORECASE)
YEARS: Final = range(1970, 9_000)  #: beyond, zones and spans overflow


def _written_out(given: Any) -> Any:
    """A bare number is seconds to one and a year to another."""
    if isinstance(given, str) and _NUMBER.fullmatch(given.strip()):
        raise ValueError("a moment is written as 2026-11-24T12:00:00Z")
    return given


def _in_utc(moment: datetime) -> datetime:
    """RFC 3339 has zones of up to 24 hours, Postgres of less than 16."""
    if moment.year not in YEARS:
        raise ValueError(f"a moment of this service is from {YEARS[0]} to {YEARS[-1]}")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


#: UTC, where no zone is named.
Moment = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
ZonedMoment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
