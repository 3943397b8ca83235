"""Looks on while the system runs, once a second, and measures afterwards how fast it recovered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from threading import Event, Thread
from typing import Any, NamedTuple, Self

from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Sessions
from tests.chaos.keeper import Life

PATIENCE = 15.0  #: seconds a job may wait while nobody works: what recovery may take

_LOOK = text("""
    SELECT extract(epoch FROM clock_timestamp())::float AS at,
        count(*) FILTER (WHERE status = 'queued') AS queued,
        count(*) FILTER (WHERE status = 'running') AS running,
        min(extract(epoch FROM available_at)::float)
            FILTER (WHERE status = 'queued' AND available_at <= now()) AS since,
        extract(epoch FROM (SELECT max(at) FROM job_history))::float AS last
    FROM jobs WHERE status IN ('queued', 'running')
""")

_HITS = text("""
    SELECT job_id, worker, taken, lost, again, final FROM (
        SELECT job_id, status, worker,
            extract(epoch FROM at)::float AS taken,
            lead(note) OVER w AS then_note,
            extract(epoch FROM lead(at) OVER w)::float AS lost,
            extract(epoch FROM lead(at, 2) OVER w)::float AS again,
            extract(epoch FROM max(at) FILTER (WHERE status IN ('succeeded', 'failed'))
                OVER (PARTITION BY job_id))::float AS final
        FROM job_history WINDOW w AS (PARTITION BY job_id ORDER BY id)
    ) AS told
    WHERE status = 'running' AND then_note IN ('lease expired', 'quarantined')
    ORDER BY taken
""")


class Watch:
    """A thread that samples; `stalls` are sentences about jobs that waited for nothing (I8)."""

    def __init__(self, sessions: Sessions) -> None:
        self.samples: list[Row[Any]] = []
        self.stalls: list[str] = []
        self._sessions = sessions
        self._excused = 0.0
        self._over = Event()
        self._thread = Thread(target=self._loop, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def excuse(self, until: float) -> None:
        """Nothing could move before this moment (Unix seconds): a server was away."""
        self._excused = max(self._excused, until)

    def _loop(self) -> None:
        while not self._over.wait(1.0):
            try:
                with self._sessions() as session:
                    self._judge(session.execute(_LOOK).one())
            except SQLAlchemyError:
                continue  # Postgres is what is broken at the moment

    def _judge(self, look: Row[Any]) -> None:
        self.samples.append(look)
        if look.since is None or look.running:
            return
        idle = look.at - max(look.since, look.last or 0.0, self._excused)
        if idle > PATIENCE:
            self.stalls.append(
                f"{look.queued} jobs waited and nobody worked for {idle:.0f} s at {look.at:.0f}"
            )


@dataclass(frozen=True)
class Recovery:
    """How long hit jobs waited, in seconds, each from the moment its worker was back."""

    hit: int
    p50: float
    max: float


class Hit(NamedTuple):
    """A job whose worker was lost while it held it."""

    job_id: Any
    pid: int
    lost: float
    again: float | None


def hits(sessions: Sessions) -> list[Hit]:
    """Every time a job was taken back from a worker that no longer renewed."""
    with sessions() as session:
        rows = session.execute(_HITS).all()
    return [Hit(row.job_id, int(row.worker.split(":")[-2]), row.lost, row.again) for row in rows]


def recovery(sessions: Sessions, lives: Sequence[Life]) -> Recovery:
    """From a killed process being back until each job that it held is claimed again."""
    back = {life.pid: _back(life, lives) for life in lives if life.ended}
    waits = [
        max(0.0, hit.again - back[hit.pid])
        for hit in hits(sessions)
        if hit.again is not None and hit.pid in back
    ]
    return Recovery(len(waits), *spread(waits))


def _back(life: Life, lives: Sequence[Life]) -> float:
    """When the next life of the same process was ready."""
    later = [
        other.ready
        for other in lives
        if other.name == life.name and other.ready and other.started >= (life.ended or 0.0)
    ]
    return min(later, default=life.ended or 0.0)


def spread(seconds: Iterable[float]) -> tuple[float, float]:
    """Median and maximum; 0 for nothing."""
    values = list(seconds)
    return (median(values), max(values)) if values else (0.0, 0.0)
