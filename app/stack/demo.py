"""A system for a demo: like `impasto up`, in a process of its own, on a port nobody has."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.db import keys
from app.errors import ImpastoError
from app.settings import settings
from app.stack import kept, preflight
from app.stack.children import Child, Running
from app.stack.household import Plan
from app.stack.up import database_session
from app.stack.up import running as running_here

#: Its receiver of webhooks is on this machine.
ENVIRONMENT = {"IMPASTO_WEBHOOKS__ALLOW_PRIVATE": "true"}


@contextmanager
def running(data: Path, *, keep: bool) -> Iterator[tuple[str, str]]:
    """
    The URL of a system that is ready and a key for it; ended on leaving.

    In another process: ours stays free to be interrupted. Raises Misconfigured.
    """
    with preflight.locked(data):
        if not keep:
            _empty(data)
    ready = data / "ready.json"
    child = Running(
        Child(
            name="impasto",
            argv=[sys.executable, "-m", "app.stack.demo", str(data)],
            log=data / "demo.log",
            prepare=lambda: ready.unlink(missing_ok=True),
            ready=ready.exists,
            ready_seconds=180.0,
            grace=90.0,
        )
    )
    try:
        child.wait_ready()
        address = json.loads(ready.read_text())
        yield address["url"], address["key"]
    finally:
        child.end()


def serve(data: Path) -> None:
    """Be that other process."""
    plan = Plan(port=kept.port(data / "api-port"), data=data, environment=ENVIRONMENT)
    with running_here(plan, settings(), _say) as stack:
        with database_session(stack.database_url) as session:
            key = stack.key or keys.create(session, tenant="demo", name="demo")
        draft = data / "ready.json.draft"
        draft.touch(0o600)
        draft.write_text(json.dumps({"url": stack.url, "key": key}))
        draft.rename(data / "ready.json")
        stack.supervisor.watch()


def _empty(data: Path) -> None:
    for path in data.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Errors are a sentence at the end of the log, which the parent quotes."""
    try:
        serve(Path(sys.argv[1]))
    except ImpastoError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
