"""Keeps children running until it is told to stop, then ends them in reverse order."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from signal import SIGKILL, Signals
from typing import Protocol, Self

from app import exits
from app.errors import Misconfigured
from app.stack.children import Child, Running
from app.stack.interrupts import Interrupts
from app.stack.roster import Action, Ask, Kill, Roster, Start, Wait

READY_POLL = 0.05


class Watcher(Protocol):
    """Hears of every start and end."""

    def started(self, name: str, pid: int) -> None: ...

    def ended(self, name: str, code: int) -> None: ...

    def waits(self, name: str, seconds: float) -> None: ...


class Supervisor:
    """
    A context: inside, signals are its own; on leaving it, every child has ended.

    The first Ctrl-C (or SIGTERM, or a closed terminal) asks children to finish, the second kills.
    Lives in the main thread: signals arrive there, and children die with the thread that started
    them. `say` gets one line for everything an operator should know, `watcher` the facts.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        jitter: Callable[[], float] = lambda: 1.0,
        watcher: Watcher | None = None,
    ) -> None:
        self._say = say
        self._watcher = watcher
        self._roster = Roster(jitter)
        self._children: dict[str, Child] = {}
        self._running: dict[str, Running] = {}
        self._awaited: dict[str, float] = {}  #: who is not ready yet, and when that is too late
        self._interrupts = Interrupts()
        self._stops_heeded = 0
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        self._cleanup.enter_context(self._interrupts)
        return self

    def __exit__(self, *_: object) -> None:
        with self._cleanup:
            self._awaited.clear()
            if not self._roster.stopping:
                self._roster.stop()
            self._loop(self._has_ended)

    def start(self, *children: Child) -> None:
        """
        Start children together and wait until every one is ready.

        Raises Misconfigured when one ends first or takes too long, KeyboardInterrupt when asked to
        stop meanwhile.
        """
        now = time.monotonic()
        self._children |= {child.name: child for child in children}
        self._awaited = {child.name: now + child.ready_seconds for child in children}
        self._roster.join({child.name: child.grace for child in children}, now)
        self._loop(self._all_are_ready, READY_POLL)
        if self._roster.stopping:
            raise KeyboardInterrupt

    def watch(self, until: Callable[[], bool] | None = None) -> None:
        """
        Restart what crashes until asked to stop and everything has ended.

        With `until`, only as long as that is false; what runs goes on running.
        """
        if until is None:
            self._loop(self._has_ended)
        else:
            self._loop(lambda: self._has_ended() or until(), READY_POLL)

    def _has_ended(self) -> bool:
        return self._roster.stopping and not self._running

    def _all_are_ready(self) -> bool:
        if self._roster.stopping:
            return True
        for name, deadline in list(self._awaited.items()):
            running = self._running[name]
            running.check_alive(deadline)
            if running.child.ready():
                del self._awaited[name]
        return not self._awaited

    def _loop(self, done: Callable[[], bool], pause: float | None = None) -> None:
        while True:
            self._heed_stops()
            self._bury()
            actions = self._roster.step(time.monotonic(), self._running)
            for action in actions:
                self._do(action)
            if done():
                return
            if not actions:
                self._interrupts.wait(self._patience(pause))

    def _heed_stops(self) -> None:
        while self._stops_heeded < self._interrupts.stops:
            self._stops_heeded += 1
            self._roster.stop()
            again = self._stops_heeded > 1
            self._say("Killing what is left." if again else "Stopping; once more kills.")

    def _bury(self) -> None:
        """Forget who has ended, unless that is news to somebody waiting for it to be ready."""
        for name, running in list(self._running.items()):
            code = running.exit_code()
            if code is None or name in self._awaited:
                continue
            running.signal(SIGKILL)  # what it started and left behind
            del self._running[name]
            if self._watcher is not None:
                self._watcher.ended(name, code)
            if not self._roster.stopping:
                self._say(f"{name} ended {cause(code)}, see {running.child.log}")

    def _do(self, action: Action) -> None:
        match action:
            case Start(name):
                self._start(name)
            case Wait(name, seconds):
                self._say(f"{name} starts again in {seconds:.2g} s")
                if self._watcher is not None:
                    self._watcher.waits(name, seconds)
            case Ask(name):
                self._running[name].signal(self._children[name].stop)
            case Kill(name):
                self._running[name].signal(SIGKILL)

    def _start(self, name: str) -> None:
        try:
            self._running[name] = running = Running(self._children[name])
            if self._watcher is not None:
                self._watcher.started(name, running.pid)
        except (OSError, Misconfigured) as error:
            if name in self._awaited:
                raise
            self._say(f"{name} cannot be started: {error}")  # a full disk may be emptied

    def _patience(self, pause: float | None) -> float | None:
        wake = self._roster.wake()
        if wake is None:
            return pause
        seconds = max(0.0, wake - time.monotonic())
        return seconds if pause is None else min(seconds, pause)


def cause(code: int) -> str:
    """An exit code in words: negative ones are signals."""
    if code < 0:
        return f"by {Signals(-code).name}"
    return f"with {code}" + (f" ({exits.WORDS[code]})" if code in exits.WORDS else "")
