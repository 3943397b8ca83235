"""Ten thousand clients that ask whether anything is new, in one thread that costs little."""

import asyncio
from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from random import Random
from threading import Event, Thread
from time import monotonic
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.caller import Caller

MOST_OPEN: Final = 128  #: connections; ten thousand clients behind a proxy arrive over few
TICK: Final = 0.02  #: seconds between two looks at who is due


class Watched(NamedTuple):
    """What a poller asks about, and the ETag that it has."""

    place: str
    etag: str


class Pollers:
    """
    So many clients, evenly spread. Each asks once in `every` seconds; without it, as our own client
    does: as soon as `Retry-After` of its last answer says, and up to a quarter later.
    """

    def __init__(
        self, caller: Caller, watched: Sequence[Watched], amount: int, every: float | None
    ) -> None:
        url = urlsplit(caller.url)
        self._where = (url.hostname or "127.0.0.1", url.port or 80)
        self._requests = [
            (
                f"GET {one.place} HTTP/1.1\r\nHost: {url.netloc}\r\n"
                f"Authorization: Bearer {caller.key}\r\nIf-None-Match: {one.etag}\r\n\r\n"
            ).encode()
            for one in watched
        ]
        self._amount, self._every = amount, every
        self._due: list[tuple[float, int]] = []
        self._idle: deque[_Connection] = deque()
        self._random = Random(0)
        self._over, self._ready = Event(), Event()
        self._thread = Thread(target=lambda: uvloop.run(self._run()))
        self._failure: str | None = None
        self.asked: set[int] = set()  #: seconds of `Retry-After`
        self.answered = 0

    def __enter__(self) -> "Pollers":
        self._thread.start()
        self._ready.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise AssertionError(f"a poller was answered {self._failure}")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(MOST_OPEN):
            await loop.create_connection(lambda: _Connection(self), *self._where)
        begin, first = monotonic(), self._every or 60.0
        self._due = [(begin + n * first / self._amount, n) for n in range(self._amount)]
        heapify(self._due)
        self._ready.set()
        while not self._over.is_set() and self._failure is None:
            while self._idle and self._due[0][0] <= monotonic():
                due, poller = heappop(self._due)
                request = self._requests[poller % len(self._requests)]
                self._idle.popleft().ask(request, due, poller)
            await asyncio.sleep(TICK)
        for connection in self._idle:
            connection.close()

    def connected(self, connection: "_Connection") -> None:
        self._idle.append(connection)

    def heard(self, connection: "_Connection", head: bytes, due: float, poller: int) -> None:
        """An answer; its poller is due again, its connection free."""
        if not head.startswith(b"HTTP/1.1 304"):
            self._failure = head.decode()
            return
        self.answered += 1
        after = int(head.partition(b"retry-after: ")[2].partition(b"\r\n")[0])
        self.asked.add(after)
        rest = self._every or after * (1 + self._random.random() / 4)
        heappush(self._due, (due + rest, poller))
        self._idle.append(connection)


class _Connection(asyncio.Protocol):
    """Carries one poll at a time."""

    def __init__(self, pollers: Pollers) -> None:
        self._pollers = pollers
        self._due, self._poller, self._head = 0.0, 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pollers.connected(self)

    def ask(self, request: bytes, due: float, poller: int) -> None:
        self._due, self._poller = due, poller
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            head, self._head = self._head, b""
            self._pollers.heard(self, head, self._due, self._poller)

    def close(self) -> None:
        self._transport.close()
