"""A bell for requests that wait: workers ring when jobs end, the API hears it at once."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

from redis import ConnectionError, Redis, RedisError
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import PubSub

from app import keepalive

log = logging.getLogger(__name__)

CHANNEL: Final = "impasto:ended"
LOOK_AGAIN: Final = 2.0  #: seconds after which a waiting request looks itself: rings can be lost
QUIET: Final = 5.0  #: seconds without a ring after which Redis is asked whether it is there


class Bell:
    """
    Rings for jobs that ended, and for their campaigns.

    A lost ring costs who waits `LOOK_AGAIN` seconds.
    """

    def __init__(self, broker_url: str) -> None:
        self._redis = Redis.from_url(broker_url, socket_timeout=2, socket_connect_timeout=2)

    def ring(self, ended: Sequence[UUID]) -> None:
        """Tell whoever listens, in one message for the whole group."""
        try:
            self._redis.publish(CHANNEL, " ".join(map(str, ended)))
        except RedisError as error:
            log.warning("could not ring: %s", error)


class Listener:
    """The API's ear: one subscription, any number of waiting requests."""

    def __init__(self, broker_url: str, quiet: float = QUIET) -> None:
        self._redis = AsyncRedis.from_url(broker_url, socket_connect_timeout=2, **keepalive.REDIS)
        self._quiet = quiet
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Listener":
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._redis.aclose()

    @contextmanager
    def hearing(self, about: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when the bell rings for this one; look at it after entering."""
        event, key = asyncio.Event(), str(about)
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def check(self) -> None:
        """Raise `RedisError` unless Redis answers."""
        await self._redis.ping()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(CHANNEL)
                    await self._attend(subscription)
            except RedisError as error:
                log.warning("not listening, trying again: %s", error)
                await asyncio.sleep(1)

    async def _attend(self, subscription: PubSub) -> None:
        """
        Hear until the connection is gone, also if it went without a word.

        Not with `listen`: a connection that timed out in the kernel is to redis-py one on which
        nothing was said in time, so that it asks again at once, for ever.
        """
        asked = False
        while True:
            message = await subscription.get_message(timeout=self._quiet)
            if message is not None:
                asked = False
                self._heard(message)
            elif asked:
                raise ConnectionError(f"Redis has said nothing for {self._quiet:g} s")
            else:
                await subscription.ping()
                asked = True

    def _heard(self, message: dict[str, object]) -> None:
        if message["type"] == "message" and isinstance(message["data"], bytes):
            for key in message["data"].decode().split():
                for event in self._waiting.get(key, ()):
                    event.set()
