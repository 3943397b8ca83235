"""`impasto fleet`: one stylizing worker for each device of this machine."""

import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import time
from typing import Any, Final

import psutil

from app.errors import Misconfigured
from app.settings import Settings
from app.stack import preflight
from app.stack.children import Child
from app.stack.devices import Device
from app.stack.household import WORKER_GRACE
from app.stack.supervisor import Supervisor, cause

STATE: Final = "fleet.json"


@dataclass
class Worker:
    """What is known of one worker; `since` and `due` are seconds of the epoch."""

    name: str
    device: str  #: the one it is meant for
    state: str = "starting"  #: starting, ready, waiting to start again, ended
    pid: int | None = None
    since: float | None = None  #: when this process was started
    due: float | None = None  #: when the next one will be
    starts: int = 0
    last_end: str | None = None
    told: str | None = None  #: the device that the process itself found


@dataclass
class State:
    """The fleet in a file, for `impasto fleet status`; written at every start and end."""

    path: Path
    workers: dict[str, Worker]
    clock: Callable[[], float] = field(default=time)

    def started(self, name: str, pid: int) -> None:
        its = self.workers[name]
        its.state, its.pid, its.since, its.due = "starting", pid, self.clock(), None
        its.starts += 1
        self.write()

    def ended(self, name: str, code: int) -> None:
        its = self.workers[name]
        its.state, its.pid, its.since, its.last_end = "ended", None, None, cause(code)
        self.write()

    def waits(self, name: str, seconds: float) -> None:
        its = self.workers[name]
        its.state, its.due = "waiting", self.clock() + seconds
        self.write()

    def write(self) -> None:
        """A reader sees one state or the next."""
        draft = self.path.with_suffix(".draft")
        workers = [asdict(worker) for worker in self.workers.values()]
        draft.write_text(json.dumps({"fleet": os.getpid(), "workers": workers}, indent=1))
        draft.replace(self.path)


def run(devices: Sequence[Device], data: Path, given: Settings, say: Callable[[str], None]) -> None:
    """
    Keep a worker on every device until asked to stop; what crashes comes back after a while.

    One that cannot start does not keep the others from it. Raises `Misconfigured` where the
    directory is somebody else's.
    """
    with preflight.locked(data):
        data = data.resolve()
        children = [child(number, device, data, given) for number, device in enumerate(devices)]
        pairs = zip(children, devices, strict=True)
        workers = {its.name: Worker(its.name, device.name) for its, device in pairs}
        state = State(data / STATE, workers)
        with Supervisor(say, jitter=jitter, watcher=state) as supervisor:
            say(f"{len(devices)} workers: {', '.join(device.name for device in devices)}")
            supervisor.start(*children)
            supervisor.watch()


def jitter() -> float:
    """Half to all of a wait: what crashed together does not come back together."""
    return random.uniform(0.5, 1.0)


def child(number: int, device: Device, data: Path, given: Settings) -> Child:
    """The worker of a device; it makes a file when it is warm, and says there what it found."""
    name = f"worker-{number}"
    (data / "logs").mkdir(exist_ok=True)
    ready = _ready(data, name)
    cache = (
        {}
        if "cache" in given.engine.model_fields_set
        else {"IMPASTO_ENGINE__CACHE": str(data / "engines")}
    )
    port = given.metrics_port
    metrics = {} if port is None else {"IMPASTO_METRICS_PORT": str(port + number)}
    asked = ["--device", str(device.number), "--expect", device.name, "--ready-file", str(ready)]
    return Child(
        name=name,
        argv=[sys.executable, "-m", "workers", "worker", *asked],
        log=data / "logs" / f"{name}.log",
        env=device.environment | cache | metrics,
        prepare=lambda: ready.unlink(missing_ok=True),
        grace=WORKER_GRACE,
    )


def status(data: Path) -> list[Worker]:
    """How the workers are now. Raises `Misconfigured` where no fleet runs."""
    try:
        told: dict[str, Any] = json.loads((data / STATE).read_text())
    except FileNotFoundError:
        raise Misconfigured(
            f"No fleet was started in {data}; name its directory with --data."
        ) from None
    if not psutil.pid_exists(told["fleet"]):
        raise Misconfigured(f"The fleet of {data} does not run; start it with `impasto fleet`.")
    return [_now(Worker(**worker), data) for worker in told["workers"]]


def _now(worker: Worker, data: Path) -> Worker:
    try:
        worker.told = _ready(data, worker.name).read_text().strip() or None
    except FileNotFoundError:
        return worker
    if worker.state == "starting":
        worker.state = "ready"
    return worker


def _ready(data: Path, name: str) -> Path:
    return data / f"{name}.ready"
