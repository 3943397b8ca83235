"""What a submission has done so far, so that the same command after `kill -9` goes on with it."""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final
from uuid import uuid4

import typer

from app.errors import BadRequest

SPARE: Final = 3600  #: seconds that an upload must still hold when it is used again
REPEATABLE: Final = 23 * 3600  #: seconds that a service knows a request again, and an hour less


class Journal:
    """
    One submission's own file: a line for each step, each a JSON object, the last maybe torn.

    Steps: its `id`, every upload, the manifest once it is `sealed`, the campaign.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._turns: dict[str, Lock] = {}
        self.id = ""
        self.uploads: dict[str, str] = {}  #: SHA-256 to upload
        self.campaign_id: str | None = None
        self.sealed_at: float | None = None
        self.options: dict[str, Any] = {}  #: of the campaign, as they were sealed
        self._start = "\n" if path.exists() else ""  # the line before may be torn
        for step in _steps(path):
            self._note(step)
        if not self.id:
            self.write({"id": str(uuid4())})

    @property
    def manifest(self) -> Path:
        """The items as they were sent, or are to be."""
        return self._path.with_suffix(".manifest.jsonl")

    @property
    def repeatable(self) -> bool:
        """Whether the sealed manifest can be sent again without making a second campaign."""
        return self.sealed_at is not None and time.time() - self.sealed_at < REPEATABLE

    def turn(self, digest: str) -> Lock:
        """Held by the one thread that brings these bytes."""
        return self._turns.setdefault(digest, Lock())

    def write(self, step: dict[str, Any]) -> None:
        """Remember a step; it survives the end of this process."""
        with self._lock, self._path.open("a") as file:
            file.write(f"{self._start}{json.dumps(step)}\n")
            self._start = ""
            self._note(step)

    def seal(self, items: Iterable[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
        """From here on this is sent as it is, whatever changes in the sources."""
        draft = self.manifest.with_suffix(".draft")
        with draft.open("w") as file:
            file.writelines(json.dumps(item) + "\n" for item in items)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.manifest)
        self.write({"sealed": time.time(), "options": dict(options)})

    def unseal(self) -> None:
        """The service refused it: nothing was made of it."""
        self.write({"sealed": None})

    def forget(self) -> None:
        """The submission is over: the same command is a new one from now on."""
        self.manifest.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def _note(self, step: dict[str, Any]) -> None:
        if "id" in step:
            self.id = step["id"]
        if "sha256" in step:
            ends = datetime.fromisoformat(step["expires_at"]).timestamp()
            if ends > time.time() + SPARE:
                self.uploads[step["sha256"]] = step["upload_id"]
        if "campaign_id" in step:
            self.campaign_id = step["campaign_id"]
        if "sealed" in step:
            self.sealed_at, self.options = step["sealed"], step.get("options", {})


@contextmanager
def journal(about: Mapping[str, Any]) -> Iterator[Journal]:
    """
    The journal of the submission that is about this, and of no other; held by one process.

    Raises `BadRequest` while another process has it.
    """
    name = sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    folder = _home() / "submissions"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it, always
        except BlockingIOError:
            raise BadRequest("The same submission is under way in another process.") from None
        yield Journal(folder / f"{name}.jsonl")


def _home() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return Path(state, "impasto") if state else Path(typer.get_app_dir("impasto"))


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        try:
            step = json.loads(line)
        except ValueError:
            continue  # torn by the end of the process that wrote it
        yield step
