"""How much of us a tenant may have: policies, and how they are told of in headers."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

BURST: Final = "burst"  #: requests; a bucket that a minute fills
DAILY: Final = "daily"  #: pictures; a bucket that a day fills
WAITING: Final = "waiting"  #: pictures that are accepted and not drawn yet
WINDOWS: Final[Mapping[str, int]] = {BURST: 60, DAILY: 86_400, WAITING: 0}  #: seconds; 0: none
UNITS: Final[Mapping[str, str]] = {BURST: "requests", DAILY: "pictures", WAITING: "pictures"}


@dataclass(frozen=True, slots=True)
class Policy:
    """
    So much of a unit in any window; it comes back evenly, and waits up to one window's worth.

    Without a window, so much at any moment.
    """

    name: str
    quota: int  #: more than 0
    window: int  #: seconds; 0: none


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a policy, and how many seconds until; without a window nobody knows that."""

    policy: Policy
    left: int
    whole: float = 0.0  #: all of it is there again
    wait: float = 0.0  #: what was asked for would pass; 0: it did


def policies(defaults: Mapping[str, int], own: Mapping[str, int]) -> tuple[Policy, ...]:
    """What holds for a tenant: its own numbers before everybody's; 0 is no limit."""
    quotas = {name: own.get(name, defaults[name]) for name in WINDOWS}
    return tuple(Policy(name, quota, WINDOWS[name]) for name, quota in quotas.items() if quota)


def policy_header(tenant_id: UUID, policies: tuple[Policy, ...]) -> str:
    """`RateLimit-Policy`, a structured list; `pk` is equal for all keys that share the quota."""
    shared = b64encode(sha256(tenant_id.bytes).digest()[:6]).decode()
    units = {name: f';qu="{unit}"' for name, unit in UNITS.items() if unit != "requests"}
    return ", ".join(
        f'"{one.name}";q={one.quota}{_window(one)}{units.get(one.name, "")};pk=:{shared}:'
        for one in policies
    )


def _window(policy: Policy) -> str:
    return f";w={policy.window}" if policy.window else ""


def standing_header(standings: tuple[Standing, ...], unused: int = 0) -> str:
    """
    `RateLimit`: what is left; `t` is when all is, or when what was refused would pass.

    `unused` are requests that were taken in advance: they are still the tenant's.
    """
    told = []
    for one in standings:
        left = one.left + unused if one.policy.name == BURST else one.left
        told.append(f'"{one.policy.name}";r={left}{_time(one)}')
    return ", ".join(told)


def _time(one: Standing) -> str:
    return f";t={seconds(one.wait or one.whole)}" if one.policy.window else ""


def seconds(time: float) -> int:
    """Whole ones, so that nobody comes too early."""
    return int(-(-time // 1))
