"""What this worker holds: renewed while it works, dropped when somebody else took it."""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app.db import Sessions, jobs
from app.db.jobs import Held
from app.domain.ids import new_id

log = logging.getLogger(__name__)


def worker_name(kind: str) -> str:
    """Names one process in leases and history; a restarted one is somebody else."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}:{str(new_id())[-6:]}"


class Leases:
    """
    One thread renews every lease of the process in one statement, and ends the process when it
    is no longer `alive`. It also touches `sign`, a file whose age says whether this thread still
    runs, and calls `beat`, for who has something to report.

    A job that is missing from the answer was rescued or canceled: `lost` says so, and its
    holder may stop. It may also go on, for the fence refuses its answer.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        seconds: float,
        every: float,
        alive: Callable[[], bool] = lambda: True,
        beat: Callable[[], None] = lambda: None,
        sign: Path | None = None,
    ) -> None:
        self._sessions, self._seconds, self._every = sessions, seconds, every
        self._sign = sign
        self._alive = alive
        self._beat = beat
        self._stages: dict[Held, str] = {}
        self._lost: set[Held] = set()
        self._lock = Lock()
        self._closed = Event()
        self._thread = Thread(target=self._loop, name="leases", daemon=True)

    def __enter__(self) -> "Leases":
        if self._sign is not None:
            self._sign.touch()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    @contextmanager
    def hold(self, group: Sequence[Held]) -> Iterator[None]:
        """Renew these until the block ends."""
        with self._lock:
            self._stages |= dict.fromkeys(group, "claimed")
        try:
            yield
        finally:
            with self._lock:
                for held in group:
                    del self._stages[held]
                    self._lost.discard(held)

    def stage(self, held: Held, stage: str) -> None:
        """What is being done with a job; callers see it with the next renewal."""
        with self._lock:
            if held in self._stages:
                self._stages[held] = stage

    def lost(self, held: Held) -> bool:
        """Whether a renewal found the job in other hands."""
        return held in self._lost

    def held(self) -> list[Held]:
        """Everything this process holds now."""
        with self._lock:
            return list(self._stages)

    def hand_back(self, by: str) -> None:
        """After a stop that could not wait for them: others need not wait for these leases."""
        with self._sessions.begin() as session:
            jobs.hand_back(session, self.held(), by=by)

    def rest(self, seconds: float) -> None:
        """Wait before trying again; returns at once when the process is closing."""
        self._closed.wait(seconds)

    def renew(self) -> None:
        """Extend every lease once."""
        with self._lock:
            stages = dict(self._stages)
        if not stages:
            return
        with self._sessions.begin() as session:
            kept = jobs.renew(session, stages, stages.values(), lease=self._seconds)
        self._forget(stages, kept)

    def _forget(self, stages: dict[Held, str], kept: set[UUID]) -> None:
        with self._lock:
            self._lost |= {held for held in stages if held.id not in kept} & self._stages.keys()

    def _loop(self) -> None:
        while not self._closed.wait(self._every):
            if not self._alive():
                log.critical("the engine hangs; ending this process, its jobs will be rescued")
                os._exit(os.EX_SOFTWARE)  # a call into a device cannot be taken back
            if self._sign is not None:
                self._sign.touch()
            try:
                self.renew()
            except SQLAlchemyError as error:  # the next renewal may come in time; if not, the
                log.warning("leases not renewed: %s", error)  # sweep takes the jobs back
            try:
                self._beat()
            except SQLAlchemyError as error:
                log.warning("nothing was reported: %s", error)
