"""What the client asked for and what it was told: its own side of the story."""

from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from uuid import UUID


class Reply(StrEnum):
    """How a request ended, as the client saw it."""

    ACCEPTED = "accepted"  #: 202, with an id
    REFUSED = "refused"  #: a clear no: nothing may have come of it
    UNKNOWN = "unknown"  #: no answer, or a 5xx: it may have been accepted, once


@dataclass
class Asked:
    """One request; its label travels in the metadata of everything it creates."""

    label: str
    tenant_id: UUID
    jobs: int
    campaign: bool
    hook: bool = False
    reply: Reply = Reply.UNKNOWN
    id: UUID | None = None  #: of the job or campaign, if accepted
    said: str = ""  #: what the client was told instead


@dataclass
class Journal:
    """All requests of one client, by label."""

    asked: dict[str, Asked] = field(default_factory=dict)
    #: Error codes with which jobs may end, by `metadata.mark`; all others must succeed.
    ends: dict[str, set[str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def ask(self, tenant_id: UUID, jobs: int, *, campaign: bool, hook: bool) -> Asked:
        """Write down a request before it is sent."""
        with self._lock:
            asked = Asked(f"request-{len(self.asked)}", tenant_id, jobs, campaign, hook)
            self.asked[asked.label] = asked
        return asked

    def of(self, reply: Reply) -> list[Asked]:
        """The requests that were answered so."""
        return [asked for asked in self.asked.values() if asked.reply is reply]

    @property
    def accepted_jobs(self) -> int:
        return sum(asked.jobs for asked in self.of(Reply.ACCEPTED))
