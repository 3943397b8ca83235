"""The decoder child, with one weakness: a mark behind a picture's bytes makes it misbehave."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

from app.images import Bounds
from workers.codec.decoder import Planes, decode, serve


def die(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def read_null() -> None:
    ctypes.string_at(0)


def spin() -> None:
    while True:
        pass


def hoard() -> None:
    bytearray(8 * 2**30)


def hog() -> None:
    """Takes memory in small bites, as a decoder with a leak would."""
    bites = []
    while True:
        bites.append(bytes(2**20))


def starve() -> None:
    raise MemoryError


def sleep() -> None:
    time.sleep(3600)


WEAKNESSES: dict[bytes, Callable[[], object]] = {
    b"SIGKILL": lambda: die(signal.SIGKILL),
    b"SIGSEGV": read_null,
    b"SPIN": spin,
    b"HOARD": hoard,
    b"HOG": hog,
    b"STARVE": starve,
    b"SLEEP": sleep,
    b"EXIT": lambda: os._exit(3),
}


def fragile(content: bytes, longest: int, bounds: Bounds) -> Planes:
    _, mark, rest = content.rpartition(b"\nMARK:")
    if mark:
        name, _, path = rest.partition(b"@")
        if not (path and os.path.exists(path)):  # noqa: PTH110 - a path of bytes
            if path:
                os.close(os.open(path, os.O_CREAT))
            WEAKNESSES[name]()
    return decode(content, longest, bounds)


def marked(content: bytes, mark: str, *, once: str = "") -> bytes:
    """A picture that triggers a weakness; with `once`, a path, only the first time it is seen."""
    return content + f"\nMARK:{mark}{'@' * bool(once)}{once}".encode()


if __name__ == "__main__":
    serve(sys.argv[1:], fragile)
