"""One child process: how it is started, when it is ready, how it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import psutil

from app.errors import Misconfigured

LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES = 10 * 2**20  #: a longer log is set aside when its child starts


def nothing() -> None:
    """What most children need done before they start."""


def always() -> bool:
    """Ready as soon as it runs."""
    return True


def launched(argv: Sequence[str], user: str = "", stop: Signals = SIGTERM) -> list[str]:
    """`argv` as a process that ends when we do and, where we are root, belongs to `user`."""
    user = user if os.geteuid() == 0 else ""
    return [sys.executable, "-IS", str(LAUNCH), str(os.getpid()), str(int(stop)), user, *argv]


@dataclass(frozen=True, kw_only=True)
class Child:
    """What there is to know about a child before it runs."""

    name: str
    argv: Sequence[str]  #: the program by its full path, then its arguments
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)  #: on top of our own environment
    cwd: Path | None = None
    user: str = ""  #: run as this user where we are root
    prepare: Callable[[], None] = nothing  #: before every start
    ready: Callable[[], bool] = always  #: asked until it answers yes
    ready_seconds: float = 60.0
    stop: Signals = SIGTERM  #: asks it to end; also sent when we die
    grace: float = 10.0  #: seconds between asking and killing


class Running:
    """A started child and all its descendants, one process group of their own."""

    def __init__(self, child: Child) -> None:
        self.child = child
        child.prepare()
        _set_aside(child.log)
        with child.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the argv is ours
                launched(child.argv, child.user, child.stop),
                env={**os.environ, **child.env},
                cwd=child.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal it died of."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Ask the child alone, or kill it with everything it started."""
        if number != SIGKILL:
            self._process.send_signal(number)
            return
        with suppress(ProcessLookupError):  # nobody is left of the group
            os.killpg(self.pid, SIGKILL)

    def wait_ready(self) -> None:
        """Raises Misconfigured with the end of the log when it ends, or takes too long."""
        deadline = time.monotonic() + self.child.ready_seconds
        while not self.child.ready():
            self.check_alive(deadline)
            time.sleep(0.02)

    def check_alive(self, deadline: float) -> None:
        """Raises Misconfigured when waiting for it any longer makes no sense."""
        if (code := self.exit_code()) is not None:
            raise Misconfigured(self._obituary(f"ended with {code} before it was ready"))
        if time.monotonic() > deadline:
            seconds = self.child.ready_seconds
            raise Misconfigured(self._obituary(f"was not ready after {seconds:.0f} s"))

    def end(self) -> None:
        """Ask, wait for the grace, kill."""
        self.signal(self.child.stop)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self.child.grace)
        self.signal(SIGKILL)  # what it started and left behind
        self._process.wait()

    def _obituary(self, what: str) -> str:
        return f"{self.child.name} {what}. The end of {self.child.log}:\n{tail(self.child.log)}"


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def end_orphans(program: str, argument: str, ask: Signals = SIGTERM, grace: float = 10.0) -> None:
    """
    End processes of `program` that were started with `argument` by somebody who is gone.

    The argument is the absolute path of a directory or file that only ours are started with, so a
    recycled process id or somebody else's server is never met.
    """
    everyone = psutil.process_iter(["cmdline"])
    orphans = [p for p in everyone if _is(p.info["cmdline"], program, argument)]
    for orphan in orphans:
        _signal(orphan, ask)
    _, alive = psutil.wait_procs(orphans, timeout=grace)
    for orphan in alive:
        _signal(orphan, SIGKILL)
    psutil.wait_procs(alive, timeout=grace)


def _is(argv: list[str] | None, program: str, argument: str) -> bool:
    return argv is not None and argument in argv[1:] and Path(argv[0]).name == program


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):  # it ended by itself, which is what we wanted
        process.send_signal(number)


def _set_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
