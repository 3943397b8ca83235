"""Counts requests against their tenant's quota, and tells each how it stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from uuid import UUID

from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.domain.quotas import BURST, WAITING, Policy, Standing, policy_header, standing_header
from app.quotas import TAKE, Meter, check, costs_of, keys_of, patience, standings

Stamps = list[tuple[bytes, bytes]]
CONNECTIONS: Final = 32
TENANTS: Final = 1_000  #: remembered at once
FRESH: Final = 1.0  #: seconds that requests taken in advance are good for
PART: Final = 1_000  #: of a quota, one such part is taken in advance: it may be lost
MOST: Final = 100  #: requests taken in advance


@dataclass(slots=True)
class _Book:
    """What one tenant has taken in advance, and how it stood then."""

    its: tuple[Policy, ...]  #: all that hold
    policy: bytes
    left: int = 0
    until: float = 0.0
    found: tuple[Standing, ...] = ()
    answer: Sequence[int] = (1,)

    @property
    def rates(self) -> tuple[Policy, ...]:
        """What is counted in Redis."""
        return tuple(one for one in self.its if one.window)

    def amounts(self) -> Iterator[int]:
        """How many to take at once: some, else one."""
        quota = next((one.quota for one in self.its if one.name == BURST), 0)
        if (several := min(quota // PART, MOST)) > 1:
            yield several
        yield 1

    def holds(self) -> bool:
        return self.left > 0 and monotonic() < self.until

    def header(self, waiting: int | None) -> bytes:
        its = self.found
        if waiting is not None:
            whole = (one for one in self.its if one.name == WAITING)
            its += tuple(Standing(one, max(0, one.quota - waiting)) for one in whole)
        return standing_header(its, self.left).encode()


class Turnstile:
    """
    The meter's end at the event loop; one for each loop.

    Of a large quota a few requests are taken at once, a thousandth at most: a trip to Redis costs a
    status request a fifth of its CPU. Small quotas are counted one by one.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._redis = Redis.from_url(
            meter.url, max_connections=CONNECTIONS, **patience(Retry(NoBackoff(), 1))
        )
        self._script = self._redis.register_script(TAKE)
        self._books: dict[UUID, _Book] = {}

    async def close(self) -> None:
        await self._redis.aclose()

    async def count(self, tenant_id: UUID, stamps: Stamps) -> None:
        """
        One request more; `stamps` get the headers that its answer carries, whichever it is.

        Raises `QuotaExceeded`. Without Redis, everybody passes.
        """
        its = self._meter.policies(tenant_id)
        if not its:
            return
        book = self._book(tenant_id, its)
        stamps.append((b"ratelimit-policy", book.policy))
        if book.rates and not book.holds() and not await self._take(tenant_id, book):
            return
        book.left = max(0, book.left - 1)
        if header := book.header(self._meter.waiting(tenant_id)):
            stamps.append((b"ratelimit", header))
        check(book.found, book.answer)

    async def _take(self, tenant_id: UUID, book: _Book) -> bool:
        """
        Put some requests into the book; one, where there are not so many, or none.

        False: Redis is away.
        """
        fuse = self._meter.fuse
        if fuse.blown:
            return False
        try:
            for amount in book.amounts():
                book.answer = await self._ask(tenant_id, book.rates, amount)
                book.found = standings(book.rates, book.answer)
                book.left = amount if book.answer[0] else 0
                if book.left:
                    break
        except RedisError as error:
            fuse.blow(error)
            return False
        fuse.mend()
        book.until = monotonic() + FRESH
        return True

    async def _ask(self, tenant_id: UUID, its: tuple[Policy, ...], amount: int) -> Any:
        return await self._script(keys_of(tenant_id, its), costs_of(its, {BURST: amount}))

    def _book(self, tenant_id: UUID, its: tuple[Policy, ...]) -> _Book:
        book = self._books.get(tenant_id)
        if book is None or book.its != its:
            if len(self._books) >= TENANTS:
                self._books.clear()
            book = _Book(its, policy_header(tenant_id, its).encode())
            self._books[tenant_id] = book
        return book
