"""What a key may do. One place decides what a route needs: this one."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """A thing that a key may do; none of them includes another."""

    READ = "read"  #: look at everything that is the tenant's
    SUBMIT = "submit"  #: hand work in, and withdraw it
    REVIEW = "review"  #: see what waits for a reviewer, and say which pictures go out
    ADMIN = "admin"  #: keys, webhook endpoints, erasure, audit, retention


USUAL: Final = (Scope.SUBMIT, Scope.READ)  #: what a key may do unless somebody says otherwise
EVERYTHING: Final = tuple(Scope)

#: Who changes these changes what others can do, or ends what cannot be brought back.
_ADMINISTERED: Final = frozenset({"webhooks", "keys", "audit", "tenant", "erasures"})
#: Of these, looking is for administrators, too.
_CONFIDENTIAL: Final = frozenset({"keys", "audit", "tenant", "erasures"})


def needed(method: str, tags: Iterable[str]) -> Scope:
    """The scope that an operation needs, by its HTTP method and the tags of its route."""
    its, reads = frozenset(tags), method in ("GET", "HEAD")
    if its & (_CONFIDENTIAL if reads else _ADMINISTERED):
        return Scope.ADMIN
    if reads:
        return Scope.READ
    return Scope.REVIEW if "reviews" in its else Scope.SUBMIT
