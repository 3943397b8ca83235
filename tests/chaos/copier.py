"""Copies of messages on their way into Redis, put in later, in any order."""

import heapq
import random
import re
from threading import Condition, Thread
from time import monotonic
from typing import Self

from redis import Redis, RedisError

_PUSH = re.compile(rb"\*3\r\n\$5\r\nLPUSH\r\n\$\d+\r\n([^\r]+)\r\n\$(\d+)\r\n")
LATEST = 2.0  #: seconds until a copy comes


class Copier:
    """Sees what clients push, and pushes each of it again, `copies` times."""

    def __init__(self, url: str, dice: random.Random, copies: int) -> None:
        self.copied = 0
        self._redis = Redis.from_url(url)
        self._dice, self._copies = dice, copies
        self._waiting: list[tuple[float, int, bytes, bytes]] = []
        self._changed = Condition()
        self._over = False
        self._seen = 0
        self._thread = Thread(target=self._loop, name="copier", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join(10)
        self._redis.close()

    def see(self, chunk: bytes) -> None:
        """A chunk of a client's commands; clients send a push in one."""
        for found in _PUSH.finditer(chunk):
            body = chunk[found.end() : found.end() + int(found[2])]
            with self._changed:
                for _ in range(self._copies):
                    self._seen += 1
                    due = monotonic() + self._dice.uniform(0, LATEST)
                    heapq.heappush(self._waiting, (due, self._seen, found[1], body))
                self._changed.notify_all()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._next() <= 0, self._next())
                if self._over:
                    return
                if self._next() > 0:
                    continue
                _, _, queue, body = heapq.heappop(self._waiting)
            try:
                push = self._redis.lpush if self._dice.random() < 0.5 else self._redis.rpush
                push(queue, body)
                self.copied += 1
            except RedisError:
                continue  # not every message needs five copies

    def _next(self) -> float:
        return self._waiting[0][0] - monotonic() if self._waiting else 1.0
