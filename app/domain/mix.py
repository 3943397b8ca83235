"""Styles in shares: `great-wave:0.6,starry-night:0.4`. Pure: whether they exist, others know."""

from collections.abc import Mapping
from math import isfinite
from typing import Final, TypeAlias

Mix: TypeAlias = dict[str, float]  #: style to share; shares sum to 1, the largest comes first

MAX_STYLES: Final = 8
MAX_NAME: Final = 255
#: A style or several, as they are written; whether shares settle, and names exist, it cannot say.
PATTERN: Final = r"^(?:{name}(?::{share})?|{name}:{share}(?:,{name}:{share}){{1,7}})$".format(
    name=r"[a-z0-9][a-z0-9-]{0,62}(?:@[1-9][0-9]{0,8})?",
    share=r"(?:0?\.[0-9]{0,3}[1-9]|[1-9][0-9]{0,3}(?:\.[0-9]{1,4})?)",
)
PARTS: Final = 10_000  #: shares are whole parts of this many: finer ones no eye can tell


def parse(text: str) -> Mix:
    """
    The shares as asked for, by name, in their order; one style alone has the share 1.

    Raises `ValueError` with a sentence that says what to do.
    """
    pairs = [_pair(part) for part in text.split(",")]
    if len(pairs) > MAX_STYLES:
        raise ValueError(f"mix at most {MAX_STYLES} styles")
    if len(pairs) == 1:
        return {pairs[0][0]: 1.0}
    shares: Mix = {}
    for name, share in pairs:
        if share is None:
            raise ValueError(f"say how much of {name!r}: write it as {name}:0.5")
        if name in shares:
            raise ValueError(f"{name!r} is there twice; give it one share")
        shares[name] = share
    settled(shares)
    return shares


def settled(shares: Mapping[str, float]) -> Mix:
    """
    The one form of equal mixes: shares sum to 1 in steps of 0.0001, the largest first, then names.

    Raises `ValueError` for a share that rounds to nothing.
    """
    top = max(shares.values())  # first of all by it: the sum of two large numbers may be infinite
    total = sum(share / top for share in shares.values())
    parts = {name: round(PARTS * (share / top) / total) for name, share in shares.items()}
    for name, amount in parts.items():
        if amount == 0:
            raise ValueError(f"{name!r} has less than {1 / PARTS} of the whole; leave it out")
    parts[_by_size(parts)[0]] += PARTS - sum(parts.values())
    return {name: parts[name] / PARTS for name in _by_size(parts)}


def _by_size(parts: Mapping[str, int]) -> list[str]:
    """The largest first; of equal ones by name, a pinned one where its bare name would be."""
    return sorted(parts, key=lambda name: (-parts[name], name.partition("@")))


def text(mix: Mapping[str, float]) -> str:
    """How a settled mix is written: `great-wave@1:0.6,starry-night@1:0.4`."""
    return ",".join(f"{name}:{share:g}" for name, share in mix.items())


def _pair(part: str) -> tuple[str, float | None]:
    name, colon, number = (piece.strip() for piece in part.partition(":"))
    if not name:
        raise ValueError("name a style before each share, as in great-wave:0.6,starry-night:0.4")
    if len(name) > MAX_NAME:
        raise ValueError(f"a style's name has at most {MAX_NAME} characters")
    return name, _share(name, number) if colon else None


def _share(name: str, number: str) -> float:
    try:
        share = float(number)
    except ValueError:
        raise ValueError(f"the share of {name!r} is not a number: write {name}:0.5") from None
    if not isfinite(share) or share <= 0:
        raise ValueError(f"the share of {name!r} must be a number above 0")
    return share
