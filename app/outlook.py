"""What work is going to cost and when it will be done: read by all requests from one glance."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.crowd import Crowd
from app.db import backlog, paces
from app.db.backlog import Line, Lines, Place, Running
from app.db.models import Job
from app.db.paces import Workers
from app.domain.job import JobStatus, Lane
from app.domain.pace import CostModel
from app.glance import FRESH, SHARE, Glance
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where work stands: whose turn comes before, and in how many seconds it will have ended."""

    position: int | None  #: 1 is next; None once it is worked on
    seconds: int | None  #: None where nobody has measured, or nobody works


NOTHING: Final = Forecast(None, None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs of one tenant and lane that wait together, or would; none where all are worked on."""

    tenant_id: UUID
    lane: Lane
    place: Place  #: of the first of them in the tenant's line
    jobs: int
    pixels: float | None  #: of all of them; None: as large as others of their line


class Queue:
    """One glance at all that waits, and at who works."""

    def __init__(self, lines: Lines, running: dict[Lane, Running], workers: Workers) -> None:
        self._lines, self.running, self.workers = lines, running, workers
        self._crowds = {lane: Crowd(its.values()) for lane, its in lines.items()}

    def line(self, lane: Lane, tenant_id: UUID) -> Line:
        return self._lines.get(lane, {}).get(tenant_id, Line())

    def others(self, lane: Lane, mine: Line, turns: float) -> tuple[float, float]:
        """Jobs and pixels of other tenants that have their turn before ours has had so many."""
        crowd = self._crowds.get(lane)
        if crowd is None:
            return 0.0, 0.0
        jobs, pixels = crowd.within(turns)
        ours = min(mine.amount, turns)
        return jobs - ours, max(0.0, pixels - ours * mine.mean_pixels)

    def urgent(self, lane: Lane) -> tuple[float, float]:
        """Jobs and pixels of what is served before anything of the lane."""
        if lane.slow or lane in (Lane.INTERACTIVE, Lane.FETCH):
            return 0.0, 0.0
        crowd = self._crowds.get(Lane.INTERACTIVE)
        return crowd.all if crowd else (0.0, 0.0)


class Outlook:
    """
    One for a process; any thread may ask.

    What it knows is up to `fresh` seconds old, and up to `share` times what looking took: so
    looking takes no more than a small part of a process, however long the queue.
    """

    def __init__(self, fresh: float = FRESH, share: float = SHARE) -> None:
        self._queue = Glance[Queue](fresh, share)
        self._model = Glance[CostModel](fresh, share)

    def model(self, session: Session, settings: Settings) -> CostModel:
        """What pictures take, as measured lately."""
        return self._model.at(
            lambda: CostModel(settings.rate_card, paces.read(session), settings.limits.whole_pixels)
        )

    def queue(self, session: Session) -> Queue:
        """What waits."""
        return self._queue.at(
            lambda: Queue(backlog.lines(session), backlog.running(session), paces.workers(session))
        )

    def of_job(self, session: Session, settings: Settings, job: Job, now: datetime) -> Forecast:
        """Of a job that somebody works on, or that a claim would take in its turn."""
        late = job.deadline_at is not None and job.deadline_at <= now
        waits = job.status is JobStatus.QUEUED and not (job.paused or job.unfunded or late)
        if not waits and job.status is not JobStatus.RUNNING:
            return NOTHING
        place = Place(job.priority, job.id)
        its = Waiting(job.tenant_id, job.lane, place, jobs=int(waits), pixels=job.pixels)
        return self.of_many(session, settings, its)

    def of_many(self, session: Session, settings: Settings, waiting: Waiting) -> Forecast:
        """
        Of jobs that wait together; the position is that of the next of them.

        Counts a bounded part of their tenant's line.
        """
        queue, model = self.queue(session), self.model(session, settings)
        lane, line = waiting.lane, queue.line(waiting.lane, waiting.tenant_id)
        if not waiting.jobs:
            return Forecast(None, _ends(queue, model, waiting, line, 0))
        ahead = backlog.before(session, lane, waiting.tenant_id, line, waiting.place)
        sooner, _ = queue.others(lane, line, ahead)
        position = round(queue.urgent(lane)[0] + sooner) + ahead + 1
        return Forecast(position, _ends(queue, model, waiting, line, ahead))

    def at_least(self, session: Session, settings: Settings, waiting: Waiting) -> int | None:
        """Seconds as in the forecast or a little fewer, without counting anything for it."""
        queue, model = self.queue(session), self.model(session, settings)
        line = queue.line(waiting.lane, waiting.tenant_id)
        return _ends(queue, model, waiting, line, line.at_least(waiting.place))


def _ends(queue: Queue, model: CostModel, waiting: Waiting, line: Line, ahead: int) -> int | None:
    """Seconds until they, and what is before them, have been done."""
    lane = waiting.lane
    workers = queue.workers.optimizing if lane.slow else queue.workers.stylizing
    now = queue.running.get(lane, Running())
    parts = [
        _busy_ms(model, Lane.INTERACTIVE, *queue.urgent(lane)),
        _busy_ms(model, lane, now.amount / 2, now.pixels / 2),
    ]
    if waiting.jobs:
        turns = ahead + waiting.jobs
        jobs, pixels = queue.others(lane, line, turns)
        mean = line.mean_pixels
        pixels += ahead * mean
        pixels += waiting.jobs * mean if waiting.pixels is None else waiting.pixels
        parts.append(_busy_ms(model, lane, turns + jobs, pixels))
    if not workers or None in parts:
        return None
    return ceil(sum(part for part in parts if part is not None) / workers / 1000)


def _busy_ms(model: CostModel, lane: Lane, jobs: float, pixels: float) -> float | None:
    """For how long they keep one worker, taken as equals."""
    if not jobs:
        return 0.0
    each = model.busy_ms(lane, pixels / jobs)
    return None if each is None else each * jobs
