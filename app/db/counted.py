"""What moves did, told to the metrics once it is committed: what is rolled back never happened."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, event
from sqlalchemy.orm import Session, sessionmaker

from app import metrics
from app.domain.job import JobStatus

MOVED: Final = "moved"  #: where a session keeps them until its commit


def note(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> None:
    """These jobs ended so, if the transaction is committed."""
    session.info.setdefault(MOVED, []).append((to, rows))


def listen(sessions: sessionmaker[Session]) -> None:
    """Count at every commit of these sessions."""
    event.listen(sessions, "after_commit", _count)
    event.listen(sessions, "after_rollback", _forget)


def _count(session: Session) -> None:
    for to, rows in session.info.pop(MOVED, ()):
        for row in rows:
            _ended(to, row)


def _forget(session: Session) -> None:
    session.info.pop(MOVED, None)


def _ended(to: JobStatus, row: Row[Any]) -> None:
    metrics.jobs_ended.labels(row.lane, metrics.size_of(row.pixels), to.value).inc()
    metrics.cost.labels(row.lane).inc(row.cost_micros or 0)
    if to is not JobStatus.SUCCEEDED or row.verdict is not None:
        return  # a reviewer's time says nothing of ours
    if row.rendered_by is not None:
        metrics.cached.inc()
    # Two machines' clocks: off by as much as they differ, and never below nothing.
    lasted = (datetime.now(UTC) - row.created_at).total_seconds()
    metrics.job_seconds.labels(row.lane).observe(max(0.0, lasted))
