"""The bell over a real Redis, also where a connection ends without a word."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from redis import Redis

from app.bell import Bell, Listener
from tests.chaos.network import Network

DEADLINE = 20.0


async def heard(listener: Listener, bell: Bell, about: UUID) -> None:
    """Ring until it is heard: whoever listens may not have subscribed yet."""
    with listener.hearing(about) as rung:
        async with asyncio.timeout(DEADLINE):
            while not rung.is_set():
                await asyncio.to_thread(bell.ring, [about])
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), 0.05)


def subscribed(redis_url: str) -> list[dict[str, str]]:
    """Connections that listen, as Redis knows them."""
    with Redis.from_url(redis_url) as client:
        found: list[dict[str, str]] = client.client_list(_type="pubsub")
    return found


def test_a_connection_that_ends_without_a_word_is_replaced(redis_url: str) -> None:
    parts = urlsplit(redis_url)
    with Network() as network:
        link = network.link(parts.port or 6379)
        behind = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{link.port}"))

        async def lasts() -> None:
            bell, about = Bell(redis_url), uuid4()
            async with Listener(behind.geturl(), quiet=0.2) as listener:
                await heard(listener, bell, about)
                link.lose()
                await heard(listener, bell, about)

        asyncio.run(lasts())


def test_a_quiet_connection_is_asked_and_kept(redis_url: str) -> None:
    async def lasts() -> None:
        bell, about = Bell(redis_url), uuid4()
        async with Listener(redis_url, quiet=0.05) as listener:
            await heard(listener, bell, about)
            [its] = subscribed(redis_url)
            async with asyncio.timeout(DEADLINE):
                while its["cmd"] != "ping":
                    await asyncio.sleep(0.02)
                    [its] = subscribed(redis_url)
            first = its["id"]
            await heard(listener, bell, about)
            assert [its["id"] for its in subscribed(redis_url)] == [first]

    asyncio.run(lasts())
