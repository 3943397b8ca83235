"""Whose webhooks are sent now: what keeps a slow receiver from delaying the others."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from app.db.deliveries import NOWHERE, Room

QUICK: Final = 1.0  #: seconds in which a receiver that is trusted answers
TRUSTED: Final = 128  #: receivers; who is forgotten is a stranger again


@dataclass
class Turns:
    """
    How a sender's slots are shared. No threads, no clock, no database.

    Who answered well and quickly the last time is trusted, and half of the slots are for those.
    All others share what is left, a few each: so however many receivers stall, they take half,
    and one alone takes a quarter.
    """

    slots: int
    after: UUID = NOWHERE
    sending: Counter[UUID] = field(default_factory=Counter)
    _trusted: dict[UUID, None] = field(default_factory=dict)  #: last served last

    @property
    def each(self) -> int:
        """Slots that one receiver may take."""
        return max(1, self.slots // 4)

    def room(self) -> Room:
        """What to claim."""
        free = self.slots - self.sending.total()
        strangers = {
            one: amount for one, amount in self.sending.items() if one not in self._trusted
        }
        left = max(1, self.slots // 2) - sum(strangers.values())
        return Room(
            most=free,
            strangers=max(0, min(free, left)),
            each=self.each,
            trusted={one: max(0, self.each - self.sending[one]) for one in self._trusted},
            busy=strangers,
            after=self.after,
        )

    def begin(self, receiver: UUID) -> None:
        """One of its deliveries is on its way."""
        self.sending[receiver] += 1
        if receiver in self._trusted:
            del self._trusted[receiver]
            self._trusted[receiver] = None

    def end(self, receiver: UUID, *, delivered: bool, seconds: float) -> None:
        """It arrived, or did not."""
        self.sending[receiver] -= 1
        if not self.sending[receiver]:
            del self.sending[receiver]
        if not delivered or seconds > QUICK:
            self._trusted.pop(receiver, None)
        elif receiver not in self._trusted:
            self._trusted[receiver] = None
            if len(self._trusted) > TRUSTED:
                del self._trusted[next(iter(self._trusted))]
