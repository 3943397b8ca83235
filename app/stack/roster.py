"""What a supervisor does next, given who runs and what time it is; no process in sight."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
SETTLED = 60.0  #: after so many seconds a crash counts as the first one again


@dataclass(frozen=True)
class Start:
    name: str


@dataclass(frozen=True)
class Wait:
    """It ended by itself and will be started again in `seconds`."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Ask:
    """Ask it to end."""

    name: str


@dataclass(frozen=True)
class Kill:
    name: str


Action: TypeAlias = Start | Wait | Ask | Kill


@dataclass
class Member:
    name: str
    grace: float
    due: float  #: when to start it, unless it runs
    started: float | None = None
    asked: float | None = None
    killed: bool = False
    delay: float = FIRST_DELAY

    def ended(self, now: float, jitter: float) -> Wait:
        """Twice as patient every time, unless it had settled."""
        if self.started is not None and now - self.started >= SETTLED:
            self.delay = FIRST_DELAY
        wait = Wait(self.name, self.delay * jitter)
        self.started, self.due = None, now + wait.seconds
        self.delay = min(self.delay * 2, LONGEST_DELAY)
        return wait


class Roster:
    """
    Members in generations: started in order, ended in reverse, a generation at a time.

    Times are seconds of any clock that does not go back. Waits are multiplied by `jitter`: what
    crashed together for one reason should not come back together.
    """

    def __init__(self, jitter: Callable[[], float] = lambda: 1.0) -> None:
        self._jitter = jitter
        self._generations: list[list[Member]] = []
        self.stopping = False
        self._hurried = False

    def join(self, graces: Mapping[str, float], now: float) -> None:
        """Add a generation of names and the seconds each has between being asked and killed."""
        self._generations.append([Member(name, grace, now) for name, grace in graces.items()])

    def stop(self) -> None:
        """From now on nobody is started. Called again: nobody is waited for either."""
        self._hurried = self.stopping
        self.stopping = True

    def step(self, now: float, running: Collection[str]) -> list[Action]:
        """What to do now; calling it again changes nothing unless time or `running` did."""
        return list(self._farewell(now, running) if self.stopping else self._upkeep(now, running))

    def wake(self) -> float | None:
        """When to call `step` again though nobody has ended; None: no need to."""
        members = [member for generation in self._generations for member in generation]
        if self.stopping:
            times = [m.asked + m.grace for m in members if m.asked is not None and not m.killed]
        else:
            times = [member.due for member in members if member.started is None]
        return min(times, default=None)

    def _upkeep(self, now: float, running: Collection[str]) -> Iterator[Action]:
        for member in (member for generation in self._generations for member in generation):
            if member.name in running:
                continue
            if member.started is not None:
                yield member.ended(now, self._jitter())
            if now >= member.due:
                member.started = now
                yield Start(member.name)

    def _farewell(self, now: float, running: Collection[str]) -> Iterator[Action]:
        for generation in reversed(self._generations):
            left = [member for member in generation if member.name in running]
            for member in left:
                yield from self._goodbye(member, now)
            if left and not self._hurried:
                return  # earlier generations stay while later ones may need them

    def _goodbye(self, member: Member, now: float) -> Iterator[Action]:
        if self._hurried or (member.asked is not None and now - member.asked >= member.grace):
            if not member.killed:
                member.killed = True
                yield Kill(member.name)
        elif member.asked is None:
            member.asked = now
            yield Ask(member.name)
