"""Quotas, metered in Redis: buckets that fill evenly, one round trip for all of a request's."""

import logging
from collections.abc import Mapping, Sequence
from math import floor
from time import monotonic
from typing import Any, Final
from uuid import UUID

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.domain.quotas import BURST, DAILY, WAITING, Policy, Standing, policies, seconds
from app.errors import QuotaExceeded
from app.settings import QuotaSettings

log = logging.getLogger(__name__)

TIMEOUT: Final = 0.25  #: seconds that a request waits for Redis before it passes unmetered
REST: Final = 1.0  #: seconds in which Redis is not asked again

#: GCRA, all buckets or none; with one argument more, none: a look. A bucket is one number: when it
#: would be whole again, in microseconds of the server's clock. Answers with whether it passed,
#: and for each bucket how long the cost would have to wait, and how long until it is whole.
TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('MGET', unpack(KEYS))
local passed, whole, waits = 1, {}, {}
for i = 1, #KEYS do
    local window, cost = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    whole[i] = math.max(tonumber(kept[i] or 0), now) + cost
    waits[i] = math.max(0, whole[i] - window - now)
    if cost > 0 and waits[i] > 0 then passed = 0 end
end
local answer = {passed}
local taken = passed == 1 and not ARGV[2 * #KEYS + 1]
for i = 1, #KEYS do
    local cost = tonumber(ARGV[2 * i])
    if not taken then whole[i] = whole[i] - cost end
    if taken and cost > 0 then
        redis.call('SET', KEYS[i], string.format('%.0f', whole[i]),
            'PX', math.ceil((whole[i] - now) / 1000) + 1000)
    end
    answer[2 * i] = cost > 0 and waits[i] or 0
    answer[2 * i + 1] = whole[i] - now
end
return answer
"""


class Meter:
    """Everybody's quotas, and each tenant's as its keys tell of them; pictures are taken here."""

    def __init__(self, broker_url: str, defaults: QuotaSettings) -> None:
        self.url = broker_url
        self._defaults = {
            BURST: defaults.requests_per_minute,
            DAILY: defaults.pictures_per_day,
            WAITING: defaults.pictures_waiting,
        }
        self._of: dict[UUID, tuple[Policy, ...]] = {}
        self._waiting: dict[UUID, int] = {}
        self._usual = policies(self._defaults, {})
        redis = Redis.from_url(broker_url, **patience(Retry(NoBackoff(), 1)))
        self._script = redis.register_script(TAKE)
        self.fuse = Fuse()

    def know(self, tenant_id: UUID, own: Mapping[str, int]) -> tuple[Policy, ...]:
        """A tenant's numbers, read with its key; they hold from now on in this process."""
        its = policies(self._defaults, own) if own else self._usual
        self._of[tenant_id] = its
        return its

    def policies(self, tenant_id: UUID) -> tuple[Policy, ...]:
        """What holds for a tenant."""
        return self._of.get(tenant_id, self._usual)

    def most_waiting(self, tenant_id: UUID) -> int | None:
        """How many pictures of a tenant may wait; None: any number."""
        its = (one.quota for one in self.policies(tenant_id) if one.name == WAITING)
        return next(its, None)

    def note(self, tenant_id: UUID, waiting: int) -> None:
        """How many of a tenant's pictures wait, as somebody has just counted."""
        self._waiting[tenant_id] = waiting

    def waiting(self, tenant_id: UUID) -> int | None:
        """The same; its key has been looked up since, or it has handed something in."""
        return self._waiting.get(tenant_id)

    def take(self, tenant_id: UUID, pictures: int) -> None:
        """Count pictures that are being accepted. Raises `QuotaExceeded`; then none was."""
        self._ask(tenant_id, pictures)

    def foresee(self, tenant_id: UUID, pictures: int) -> None:
        """Raise what `take` would, and count nothing."""
        self._ask(tenant_id, pictures, "look")

    def _ask(self, tenant_id: UUID, pictures: int, *how: str) -> None:
        its = tuple(one for one in self.policies(tenant_id) if one.name == DAILY)
        if not its or not pictures or self.fuse.blown:
            return
        costs = costs_of(its, {DAILY: pictures})
        try:
            answer = self._script(keys_of(tenant_id, its), [*costs, *how])
        except RedisError as error:
            self.fuse.blow(error)
            return
        self.fuse.mend()
        check(standings(its, answer), answer, pictures)


class Fuse:
    """Redis being away stops nobody: what passes unmetered is counted, and the log told once."""

    def __init__(self) -> None:
        self.unmetered = 0  #: requests, since Redis was last there
        self._until = 0.0

    @property
    def blown(self) -> bool:
        """Whether Redis was away a moment ago; who asks passes without asking it."""
        if monotonic() >= self._until:
            return False
        self.unmetered += 1
        return True

    def blow(self, error: Exception) -> None:
        if not self.unmetered:
            log.warning("quotas are not metered, Redis is away: %s", error)
        self.unmetered += 1
        self._until = monotonic() + REST

    def mend(self) -> None:
        if self.unmetered:
            log.warning("quotas are metered again; %s requests were not", self.unmetered)
            self.unmetered = 0


def patience(retry: Any) -> dict[str, Any]:
    """How connections are made; `retry` once, for those that a restarted Redis has closed."""
    return {
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "retry": retry,
    }


def keys_of(tenant_id: UUID, its: Sequence[Policy]) -> list[str]:
    return [f"impasto:quota:{tenant_id}:{one.name}" for one in its]


def costs_of(its: Sequence[Policy], costs: Mapping[str, int]) -> list[int]:
    """Window and cost of each bucket, in microseconds; no cost is a look."""
    return [
        number
        for one in its
        for number in (
            one.window * 1_000_000,
            round(costs.get(one.name, 0) * one.window * 1_000_000 / one.quota),
        )
    ]


def standings(its: Sequence[Policy], answer: Sequence[int]) -> tuple[Standing, ...]:
    """What `TAKE` said, in units and seconds."""
    return tuple(
        Standing(
            policy=one,
            left=max(0, floor(one.quota * (1 - whole / (one.window * 1_000_000)) + 1e-6)),
            whole=whole / 1e6,
            wait=wait / 1e6,
        )
        for one, wait, whole in zip(its, answer[1::2], answer[2::2], strict=True)
    )


def check(standings: Sequence[Standing], answer: Sequence[int], wanted: int = 1) -> None:
    """Raise `QuotaExceeded` for an answer that says so."""
    if answer[0]:
        return
    full = max((one for one in standings if one.wait), key=lambda one: one.wait)
    after = seconds(full.wait)
    never = wanted > full.policy.quota
    say = (
        f"The {full.policy.name} quota is {full.policy.quota:,} in {full.policy.window:,} seconds, "
        f"and {full.left:,} are left; this asks for {wanted:,}. "
    )
    more = "It has to be handed in in parts." if never else f"Try again in {after:,} seconds."
    raise QuotaExceeded(
        say + more,
        **{"violated-policies": [one.policy.name for one in standings if one.wait]},
        retry_after=after,
    )
