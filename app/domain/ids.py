"""Ids that sort by birth: UUID version 7 (RFC 9562, 5.7), so that an index grows at its end."""

from os import urandom
from threading import Lock
from time import time_ns
from uuid import UUID

_lock = Lock()
_last = 0


def new_id() -> UUID:
    """A fresh id, greater than every id this process made before, also within a millisecond."""
    return _made(_moments(1), urandom(8))


def new_ids(amount: int) -> list[UUID]:
    """Many ids in the order their owners should be served."""
    first, chance = _moments(amount), urandom(8 * amount)
    return [_made(first + n, chance[8 * n : 8 * n + 8]) for n in range(amount)]


def _moments(amount: int) -> int:
    """The first of as many moments that nobody else gets."""
    global _last
    with _lock:
        # 60 bits: milliseconds and, below them, the 12 bits the RFC leaves for a finer clock.
        first = max(_last + 1, (time_ns() << 12) // 1_000_000)
        _last = first + amount - 1
    return first


def _made(moment: int, chance: bytes) -> UUID:
    tail = int.from_bytes(chance, "big") & (2**62 - 1)
    return UUID(int=(moment >> 12) << 80 | 7 << 76 | (moment & 0xFFF) << 64 | 2 << 62 | tail)
