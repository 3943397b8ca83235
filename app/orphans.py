"""Looking through the store, page by page, for files that no row knows."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic, time
from typing import Final
from uuid import UUID

from sqlalchemy.exc import OperationalError

from app.db import Sessions, orphans, uses
from app.db.orphans import File
from app.storage import Storage, Stored, asset_key

FOLDER: Final = "assets"
PAGE: Final = 1_000  #: files that are compared at once: all that is in memory
SECONDS: Final = 2.0  #: that one sweep gives to it
_KEY: Final = re.compile(r"assets/([0-9a-f-]{36})/[0-9a-f]{2}/([0-9a-f]{64})")


@dataclass(frozen=True)
class Tidiness:
    """How often the store is looked through, and how old a file is before it is an orphan."""

    every: float  #: seconds from the end of a pass to the next; 0: never
    older: float  #: seconds; younger ones may be somebody's work


def collect(
    sessions: Sessions,
    storage: Storage,
    rules: Tidiness,
    *,
    seconds: float = SECONDS,
    page: int = PAGE,
) -> int:
    """
    Go on with the pass that is due, a page at least, for so long; how many files went.

    Any number may try at once. Whoever is killed leaves a page to be looked at again.
    """
    over, gone = monotonic() + seconds, 0
    due = rules.every > 0
    while due:
        try:
            went = _page(sessions, storage, rules, page)
        except OperationalError as error:
            if not uses.gave_way(error):
                raise
            break  # somebody writes one of them in this moment; the next sweep tries again
        if went is None:
            break
        gone += went
        due = monotonic() < over
    return gone


def _page(sessions: Sessions, storage: Storage, rules: Tidiness, most: int) -> int | None:
    """One page, and how many of its files went; None where nothing is due."""
    with sessions.begin() as session:
        after = orphans.begin(session, every=rules.every)
    if after is None:
        return None
    stored = storage.listed(FOLDER, after=after, most=most)
    to = stored[-1].key if len(stored) == most else None
    old = list(_files(stored, before=time() - rules.older))
    with sessions.begin() as session:
        uses.give_way(session)
        lost = orphans.unknown(session, old)
        if not orphans.advance(session, len(stored), len(lost), after=after, to=to):
            return None
        orphans.write_off(session, lost)
    return _delete(sessions, storage, lost)


def _files(stored: Iterable[Stored], *, before: float) -> Iterator[File]:
    """The pictures among them that are old enough."""
    for one in stored:
        named = _KEY.fullmatch(one.key)
        if named is not None and one.at < before:
            yield File(UUID(named[1]), named[2], one.bytes)


def _delete(sessions: Sessions, storage: Storage, lost: list[File]) -> int:
    with sessions.begin() as session:
        uses.give_way(session)
        locked = orphans.lock(session, lost)
        storage.delete(*(asset_key(one.tenant_id, one.digest) for one in locked))
    return len(locked)
