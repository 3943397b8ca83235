"""Ids that sort by birth: UUID version 7 (RFC 9562, 5.7), so that an index grows at its end."""

from os import urandom
from threading import Lock
from time import time_ns
from uuid import UUID

_lock = Lock()
_last = 0


def new_id() -> UUID:
    """A fresh id, greater than every id this process made before, also within a millisecond."""
    global _last
    with _lock:
        # 60 bits: milliseconds and, below them, the 12 bits the RFC leaves for a finer clock.
        _last = max(_last + 1, (time_ns() << 12) // 1_000_000)
        moment = _last
    tail = int.from_bytes(urandom(8), "big") & (2**62 - 1)
    return UUID(int=(moment >> 12) << 80 | 7 << 76 | (moment & 0xFFF) << 64 | 2 << 62 | tail)


def new_ids(amount: int) -> list[UUID]:
    """Many ids in the order their owners should be served."""
    return [new_id() for _ in range(amount)]
