"""A whole Impasto of its own for a benchmark, in a process of its own, under `var/`."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from app.db import Sessions, open_database
from app.errors import ImpastoError
from app.settings import settings
from app.stack import kept
from app.stack.children import Child, Running
from app.stack.household import Plan
from app.stack.up import running as running_here
from benchmarks.caller import Caller
from benchmarks.census import Census

ROOT = Path(__file__).resolve().parent.parent
OURS = ("IMPASTO_", "DATABASE_URL", "BROKER_URL")  #: a benchmark measures the defaults


@dataclass(frozen=True)
class System:
    """A system that is ready, seen from outside and from below."""

    caller: Caller
    census: Census
    sessions: Sessions
    environment: Mapping[str, str]  #: what its processes were told
    data: Path

    @property
    def style(self) -> str:
        return next(name for name in self.caller.styles() if name != "identity")

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """The worker waits meanwhile, so that we see what the rest takes alone."""
        worker = self.census.find("worker")
        worker.suspend()
        try:
            yield
        finally:
            worker.resume()


@contextmanager
def running(
    directory: str, *, null_engine: bool, environment: Mapping[str, str], workers: int = 1
) -> Iterator[System]:
    """
    Start on a new directory below `directory`, and end every process on leaving.

    It is not emptied here: where thousands of files were deleted a moment ago, some file systems
    (ext4 without a journal) make new ones slowly.
    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    data = Path(mkdtemp(dir=Path(directory).resolve()))
    ready = data / "ready.json"
    child = Running(
        Child(
            name="impasto",
            argv=[
                *(sys.executable, "-m", "benchmarks.system", str(data)),
                *(str(int(null_engine)), str(workers)),
            ],
            log=data / "system.log",
            env={"PYTHONPATH": str(ROOT), "BENCH": json.dumps(dict(environment))},
            cwd=data,  # where no .env names somebody's database
            ready=ready.exists,
            ready_seconds=120.0,
            grace=90.0,
        )
    )
    try:
        child.wait_ready()
        told = json.loads(ready.read_text())
        census = Census(child.pid)
        inside = census.find("api").environ()
        sessions = open_database(settings_url(inside), pool=2)
        yield System(Caller(told["url"], told["key"]), census, sessions, inside, data)
        sessions.kw["bind"].dispose()
    finally:
        child.end()


def settings_url(environment: Mapping[str, str]) -> str:
    """The database that a process with that environment uses."""
    return environment["DATABASE_URL"]


def serve(data: Path, *, null_engine: bool, workers: int) -> None:
    """Be that other process."""
    environment = json.loads(os.environ.pop("BENCH"))
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ.update({"IMPASTO_CACHE": "false"} | environment)  # equal work is drawn again
    plan = Plan(
        port=kept.port(data / "api-port"),
        data=data,
        null_engine=null_engine,
        workers=workers,
        flower=False,
        environment=environment,
    )
    with running_here(plan, settings(), print) as stack:
        draft = data / "ready.draft"
        draft.write_text(json.dumps({"url": stack.url, "key": stack.key}))
        draft.rename(data / "ready.json")
        stack.supervisor.watch()


def main() -> int:
    """Errors are a sentence at the end of the log, which the parent quotes."""
    try:
        serve(Path(sys.argv[1]), null_engine=sys.argv[2] == "1", workers=int(sys.argv[3]))
    except ImpastoError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
