"""What a verdict is drawn from, and what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.db import Sessions
from app.storage import Storage
from tests.chaos.journal import Journal
from tests.chaos.receiver import Heard


class Finding(NamedTuple):
    """One broken promise."""

    invariant: str
    sentence: str


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict is drawn from."""

    sessions: Sessions
    storage: Storage
    journal: Journal
    heard: Sequence[Heard]
    stalls: Sequence[str] = ()  #: what the watch saw while the system ran
