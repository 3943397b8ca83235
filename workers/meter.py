"""What a worker tells of itself now and then: that it is up, what it drew, how fast."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Final

from app.db import Sessions, paces
from app.db.paces import Kind, Report
from app.domain.job import Lane
from app.domain.pace import Pace, measured
from app.domain.prices import Usage

EVERY: Final = 10.0  #: seconds between reports of an idle worker
BUSY_EVERY: Final = 2.0  #: and of one that draws: estimates follow


class Meter:
    """Counts in memory; `beat`, called by the thread that renews leases, writes it down."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._paces: dict[Kind, Pace] = {}
        self._used_ms, self._pictures = 0.0, 0
        self._groups, self._busy_since, self._busy_ms = 0, 0.0, 0.0
        self._told = monotonic()
        self._hear: Callable[[bool], None] = lambda halted: None

    def listen(self, hear: Callable[[bool], None]) -> None:
        """Have `hear` called at each report with whether an operator halted this worker."""
        self._hear = hear

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A group is under way; beside others, the time counts once."""
        with self._lock:
            if not self._groups:
                self._busy_since = monotonic()
            self._groups += 1
        try:
            yield
        finally:
            with self._lock:
                self._groups -= 1
                if not self._groups:
                    self._busy_ms += 1000 * (monotonic() - self._busy_since)

    def drawn(self, lane: Lane, pixels: int, usage: Usage, *, tiled: bool) -> None:
        """A picture was charged to somebody."""
        with self._lock:
            self._used_ms += usage.device_ms
            self._pictures += 1
            if lane not in (Lane.SOLO, Lane.LEARN):  # work of any kind; work that has no size
                known = self._paces.get((lane, tiled), Pace())
                self._paces[lane, tiled] = known + measured(pixels / 1e6, usage)

    def beat(self, sessions: Sessions, worker: str, device: str, engine: str) -> None:
        """Report if it is time to."""
        since = monotonic() - self._told
        if since >= EVERY or (self._pictures and since >= BUSY_EVERY):
            self.report(sessions, worker, device, engine)

    def report(self, sessions: Sessions, worker: str, device: str, engine: str) -> None:
        """Write down what was counted since the last report; kept for the next one if it fails."""
        now = monotonic()
        with self._lock:
            told, self._told = self._told, now
            used_ms, pictures, shared = self._used_ms, self._pictures, self._shared(now)
            self._paces, self._used_ms, self._pictures = {}, 0.0, 0
        its = Report(
            worker=worker,
            host=socket.gethostname(),
            device=device,
            engine=engine,
            up_ms=1000 * (now - told),
            used_ms=used_ms,
            pictures=pictures,
            paces=shared,
        )
        try:
            with sessions.begin() as session:
                halted = paces.write(session, its)
        except Exception:
            with self._lock:
                self._told = told
                self._used_ms += used_ms
                self._pictures += pictures
                for kind, pace in shared.items():
                    self._paces[kind] = self._paces.get(kind, Pace()) + pace
            raise
        self._hear(halted)

    def close(self, sessions: Sessions, worker: str, device: str, engine: str) -> None:
        """Report for the last time: from now on nobody counts on this worker."""
        self.report(sessions, worker, device, engine)
        with sessions.begin() as session:
            paces.leave(session, worker)

    def _shared(self, now: float) -> dict[Kind, Pace]:
        """Busy time among the kinds, by the work that each was."""
        busy_ms, self._busy_ms = self._busy_ms, 0.0
        if self._groups:
            busy_ms += 1000 * (now - self._busy_since)
            self._busy_since = now
        work_ms = sum(pace.work_ms for pace in self._paces.values())
        if not work_ms:  # nothing has ended yet: its time counts when something has
            self._busy_ms = busy_ms
            return {}
        return {
            kind: pace + Pace(busy_ms=busy_ms * pace.work_ms / work_ms)
            for kind, pace in self._paces.items()
        }
