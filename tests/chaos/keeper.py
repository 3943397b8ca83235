"""Starts processes, starts again what dies, and remembers every life of each."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGTERM, Signals
from threading import Condition, Thread
from typing import Self

from app.stack.children import Child, Running, tail
from tests.chaos.waiting import until

LOOK = 0.02  #: seconds between two looks at everybody
AGAIN = 0.2  #: seconds after which a dead process is started again


@dataclass(eq=False)
class Life:
    """One process from its start to its end; times are Unix seconds."""

    name: str
    running: Running
    started: float
    ready: float | None = None
    ended: float | None = None

    @property
    def pid(self) -> int:
        return self.running.pid


class Keeper:
    """
    One thread owns all processes, because they die with the thread that started them.

    Leaving the context ends them all, also when the test failed.
    """

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self._wanted: dict[str, Child] = {}
        self._down: set[str] = set()
        self._now: dict[str, Life] = {}
        self._broken: BaseException | None = None
        self._changed = Condition()
        self._over = False
        self._thread = Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join(60)
        assert not self._thread.is_alive(), "some process would not end"

    def add(self, *children: Child) -> None:
        """Start these together and wait until all are ready."""
        with self._changed:
            self._wanted |= {child.name: child for child in children}
            self._changed.notify_all()
        for child in children:
            self.wait_ready(child.name)

    def life(self, name: str) -> Life:
        """The present one of this process, or its last."""
        with self._changed:
            if name in self._now:
                return self._now[name]
            return next(life for life in reversed(self.lives) if life.name == name)

    def serves(self, name: str) -> bool:
        """Whether it runs and is ready."""
        with self._changed:
            life = self._now.get(name)
            return life is not None and life.ready is not None

    def wait_ready(self, name: str, seconds: float = 90) -> Life:
        """The present life of `name`, once it is ready."""

        def ready() -> Life | None:
            if self._broken is not None:
                raise self._broken
            life = self._now.get(name)
            return life if life is not None and life.ready is not None else None

        try:
            life = until(ready, seconds, f"{name} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{tail(self._wanted[name].log, 40)}") from error
        assert life is not None
        return life

    def kill(self, name: str, *, stay_down: bool = False, number: Signals = SIGKILL) -> Life:
        """Kill a process with all it started, and wait for its end."""
        life = self._strike(name, stay_down)
        with suppress(ProcessLookupError):
            os.killpg(life.pid, number)
        return self._wait_end(life, 30)

    def ask(self, name: str, *, stay_down: bool = False, seconds: float = 60) -> Life:
        """Ask a process to end by itself, and wait until it has."""
        life = self._strike(name, stay_down)
        life.running.signal(SIGTERM)
        return self._wait_end(life, seconds)

    def signal(self, name: str, number: Signals) -> Life:
        """Freeze or thaw a process with all it started."""
        life = self.life(name)
        os.killpg(life.pid, number)
        return life

    def up(self, name: str) -> Life:
        """Start again what was to stay down; returns when it is ready."""
        with self._changed:
            self._down.discard(name)
            self._changed.notify_all()
        return self.wait_ready(name)

    def _strike(self, name: str, stay_down: bool) -> Life:
        with self._changed:
            if stay_down:
                self._down.add(name)
            return self._now[name]

    def _wait_end(self, life: Life, seconds: float) -> Life:
        until(lambda: life.ended is not None, seconds, f"{life.name} has ended", every=0.005)
        return life

    def _keep(self) -> None:
        try:
            while not self._over:
                self._bury()
                self._start()
                self._ask_ready()
                with self._changed:
                    self._changed.wait(LOOK)
        except BaseException as error:
            self._broken = error
        finally:
            self._end_all()

    def _bury(self) -> None:
        for name, life in list(self._now.items()):
            if life.running.exit_code() is not None:
                life.running.signal(SIGKILL)  # what it started and left behind
                life.ended = time.time()
                with self._changed:
                    del self._now[name]

    def _start(self) -> None:
        with self._changed:
            absent = [name for name in self._wanted if name not in self._now | _none(self._down)]
        for name in absent:
            last = next((life for life in reversed(self.lives) if life.name == name), None)
            if last is not None and last.ended and time.time() - last.ended < AGAIN:
                continue
            life = Life(name, Running(self._wanted[name]), time.time())
            with self._changed:
                self._now[name] = life
                self.lives.append(life)

    def _ask_ready(self) -> None:
        for name, life in list(self._now.items()):
            if life.ready is None and _asked(self._wanted[name].ready):
                life.ready = time.time()

    def _end_all(self) -> None:
        """The later it was added, the earlier it ends: servers outlive those who use them."""
        for name in reversed(self._wanted):
            life = self._now.get(name)
            if life is not None:
                with suppress(ProcessLookupError):
                    os.killpg(life.pid, SIGCONT)  # a frozen one would hear nothing
                life.running.end()
                life.ended = time.time()


def _asked(ready: Callable[[], bool]) -> bool:
    return ready()


def _none(names: set[str]) -> dict[str, None]:
    return dict.fromkeys(names)
