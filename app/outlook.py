"""What work is going to cost and when it will be done: read by all requests from one glance."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from threading import Lock
from time import monotonic, perf_counter
from typing import Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import backlog, paces
from app.db.backlog import Line, Lines, Running
from app.db.models import Job
from app.db.paces import Workers
from app.domain.job import JobStatus, Lane
from app.domain.pace import CostModel
from app.settings import Settings

FRESH: Final = 1.0  #: seconds for which a glance is good
SHARE: Final = 20.0  #: and this many times as long as it took: a long queue is looked at less often

Value = TypeVar("Value")


class _Glance(Generic[Value]):
    """A value for as long as it is fresh; one thread looks, the others take what there is."""

    def __init__(self, fresh: float, share: float) -> None:
        self._fresh, self._share, self._until = fresh, share, 0.0
        self._value: Value | None = None
        self._lock = Lock()

    def at(self, look: Callable[[], Value]) -> Value:
        value = self._value
        if value is not None and monotonic() < self._until:
            return value
        if value is not None and not self._lock.acquire(blocking=False):
            return value
        if value is None:
            self._lock.acquire()
        try:
            if self._value is None or monotonic() >= self._until:
                start = perf_counter()
                self._value = look()
                took = perf_counter() - start
                self._until = monotonic() + max(self._fresh, self._share * took)
            return self._value
        finally:
            self._lock.release()


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where work stands: whose turn comes before, and in how many seconds it will have ended."""

    position: int | None  #: 1 is next; None once it is worked on
    seconds: int | None  #: None where nobody has measured, or nobody works


NOTHING: Final = Forecast(None, None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs of one tenant and lane that wait together, or would."""

    tenant_id: UUID
    lane: Lane
    first: UUID  #: the tenant's jobs with smaller ids come before them
    jobs: int
    pixels: float  #: of all of them


@dataclass(frozen=True, slots=True)
class Queue:
    """One glance at all that waits, and at who works."""

    lines: Lines
    running: dict[Lane, Running]
    workers: Workers

    def line(self, lane: Lane, tenant_id: UUID) -> Line:
        return self.lines.get(lane, {}).get(tenant_id, Line())

    def others(self, lane: Lane, tenant_id: UUID | None, turns: float) -> tuple[float, float]:
        """Jobs and pixels of other tenants that have their turn before ours has had so many."""
        theirs = [line for whose, line in self.lines.get(lane, {}).items() if whose != tenant_id]
        jobs = [min(line.amount, turns) for line in theirs]
        pixels = (n * line.mean_pixels for n, line in zip(jobs, theirs, strict=True))
        return sum(jobs), sum(pixels)


class Outlook:
    """
    One for a process; any thread may ask.

    What it knows is up to `fresh` seconds old, and up to `share` times what looking took: so
    looking takes no more than a small part of a process, however long the queue.
    """

    def __init__(self, fresh: float = FRESH, share: float = SHARE) -> None:
        self._queue = _Glance[Queue](fresh, share)
        self._model = _Glance[CostModel](fresh, share)

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

    def of_job(self, session: Session, settings: Settings, job: Job) -> Forecast:
        """Of a job that has not ended; one that waits counts a bounded part of its line."""
        if not job.status.open or (job.status is JobStatus.QUEUED and (job.paused or job.unfunded)):
            return NOTHING
        queue, model = self.queue(session), self.model(session, settings)
        if job.status is JobStatus.RUNNING:
            return Forecast(None, _ends(queue, model, job.lane, 0.0, 0.0))
        line = queue.line(job.lane, job.tenant_id)
        older = backlog.before(session, job.lane, job.tenant_id, line, job.id)
        jobs, pixels = queue.others(job.lane, job.tenant_id, older)
        urgent = _before(queue, job.lane)
        position = round(urgent.amount + jobs) + older + 1
        pixels += older * line.mean_pixels + job.pixels
        return Forecast(position, _ends(queue, model, job.lane, older + jobs + 1, pixels))

    def of_many(self, session: Session, settings: Settings, waiting: Waiting) -> Forecast:
        """Of jobs that wait together; the position is that of the next of them."""
        queue, model = self.queue(session), self.model(session, settings)
        lane, tenant_id = waiting.lane, waiting.tenant_id
        if not waiting.jobs:
            return Forecast(None, _ends(queue, model, lane, 0.0, 0.0))
        line = queue.line(lane, tenant_id)
        older = backlog.before(session, lane, tenant_id, line, waiting.first)
        sooner, _ = queue.others(lane, tenant_id, older)
        jobs, pixels = queue.others(lane, tenant_id, older + waiting.jobs)
        pixels += older * line.mean_pixels + waiting.pixels
        position = round(_before(queue, lane).amount + sooner) + older + 1
        return Forecast(position, _ends(queue, model, lane, older + jobs + waiting.jobs, pixels))


def _before(queue: Queue, lane: Lane) -> Line:
    """What is served before anything of the lane."""
    if lane.slow or lane in (Lane.INTERACTIVE, Lane.FETCH):
        return Line()
    urgent = queue.lines.get(Lane.INTERACTIVE, {}).values()
    return Line(sum(line.amount for line in urgent), sum(line.pixels for line in urgent))


def _ends(queue: Queue, model: CostModel, lane: Lane, jobs: float, pixels: float) -> int | None:
    """Seconds until so many jobs of the lane, and what is before them, have been done."""
    workers = queue.workers.optimizing if lane.slow else queue.workers.stylizing
    its = _busy_ms(model, lane, jobs, pixels)
    urgent, now = _before(queue, lane), queue.running.get(lane, Running())
    before = _busy_ms(model, Lane.INTERACTIVE, urgent.amount, urgent.pixels)
    under_way = _busy_ms(model, lane, now.amount, now.pixels)
    if not workers or its is None or before is None or under_way is None:
        return None
    return ceil((its + before + under_way / 2) / workers / 1000)


def _busy_ms(model: CostModel, lane: Lane, jobs: float, pixels: float) -> float | None:
    """For how long they keep one worker, taken as equals."""
    if not jobs:
        return 0.0
    each = model.busy_ms(lane, pixels / jobs)
    return None if each is None else each * jobs
