"""Where a fault happens: a running rig under load, somebody who looks on, and dice."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any

from sqlalchemy import Row

from tests.chaos.client import Client
from tests.chaos.findings import Evidence
from tests.chaos.rig import Rig
from tests.chaos.waiting import until
from tests.chaos.watch import Recovery, Watch

RECOVERY = 15.0  #: seconds from the killed process being back
FLOWING = 60.0  #: seconds in which work must be seen to flow


@dataclass
class Stage:
    """A rig under load, somebody who looks on, and dice."""

    rig: Rig
    watch: Watch
    dice: random.Random
    jobs: int
    rounds: int
    client: Client
    allowed: int = 0
    faults: int = 0
    noted: list[float] = field(default_factory=list)  #: seconds to recovery, fault by fault
    drained: list[float] = field(default_factory=list)  #: seconds each process took to end
    waits: Recovery = field(default_factory=lambda: Recovery(0, 0.0, 0.0))
    ends: Sequence[Row[Any]] = ()  #: mark, end and attempts of marked jobs
    mates_seconds: float = 0.0  #: until every job that could succeed had

    def rounds_of_work(self) -> Iterator[int]:
        """Let the client ask for its share, round by round, and wait until work flows."""
        for number in self.shares():
            until(self._flows, FLOWING, "somebody works")
            yield number

    def shares(self, before: Callable[[], object] = bool) -> Iterator[int]:
        """Let the client ask for its share, round by round, each time after `before`."""
        # No more than a share at once: the last round must have something left to ask for.
        most = max(2, min(250, self.jobs // self.rounds))
        self.client.start(self.jobs, most=most, room=lambda: self.client.accepted < self.allowed)
        for number in range(self.rounds):
            before()
            self.allowed = self.jobs * (number + 1) // self.rounds
            yield number
        self.client.finish()

    def resume(self, since: float) -> None:
        """Wait until work goes on after a fault that ended at `since`; note how long it took."""
        statement = (
            "SELECT extract(epoch FROM min(at))::float FROM job_history"
            " WHERE status = 'running' AND at > to_timestamp(:since)"
        )
        self.watch.excuse(since)
        try:
            until(
                lambda: self.rig.scalar(statement, since=since) or not self.rig.unfinished(),
                2 * RECOVERY,
                "work goes on",
            )
        except AssertionError:
            self.noted.append(inf)
        claimed = self.rig.scalar(statement, since=since)
        if claimed is not None:
            self.noted.append(claimed - since)

    def _flows(self) -> bool:
        """A job is running, or the whole share has come and gone between two looks."""
        running = self.rig.scalar("SELECT 1 FROM jobs WHERE status = 'running' LIMIT 1")
        return bool(running) or self.client.accepted >= self.allowed


Fault = Callable[[Stage], None]


@contextmanager
def stage(rig: Rig, jobs: int, rounds: int) -> Iterator[Stage]:
    """A client at work and a watch; the client stops when the block ends, however it ends."""
    client = rig.client()
    with Watch(rig.sessions) as watch:
        try:
            yield Stage(rig, watch, random.Random(rig.seed), jobs, rounds, client)
        finally:
            client.stop()


def evidence(rig: Rig, watch: Watch) -> Evidence:
    """Everything there is to judge a rig by."""
    return Evidence(rig.sessions, rig.storage, rig.journal, rig.receiver.heard, watch.stalls)
