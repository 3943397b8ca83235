"""What `Retry-After` asks for, of us as a sender and of whoever calls us."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(value: str, *, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, in either of its forms; None if in neither."""
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
