"""A ticket for work that takes minutes: one job, its program beside, its outcome written."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter, time_ns
from typing import Any

from app.db import jobs, licences, traces
from app.db.jobs import Held
from app.domain.job import Lane
from app.errors import ImpastoError
from app.settings import Settings
from workers import program
from workers.settlement import settle
from workers.studio import Work, Workplace, attempt, tell
from workers.trails import begin, followed


@dataclass(frozen=True, kw_only=True)
class Optimizer(Workplace):
    """An optimizer worker's: what it draws with runs beside it, and PyTorch only there."""

    settings: Settings
    closing: Event  #: set once this process is asked to end

    def run(
        self,
        work: Work,
        module: str,
        arguments: Mapping[str, object],
        *given: str,
        heard: Callable[[program.Facts], None],
        seconds: float,
        refusal: type[ImpastoError],
    ) -> program.Facts:
        """A program of `training` for this job. Raises what `program.run` does."""
        optimizer = self.settings.optimizer
        threads = optimizer.threads or len(os.sched_getaffinity(0))
        options = {**arguments, "threads": threads, "device": self.device}
        options |= {"backbone": optimizer.backbone}
        pairs = [f"--{name}={value}" for name, value in options.items() if value is not None]
        start = perf_counter()
        answer = program.run(
            module,
            [*given, *pairs, "--json"],
            heard=heard,
            unwanted=lambda: self.closing.is_set() or self.leases.lost(work.held),
            seconds=seconds,
            refusal=refusal,
        )
        work.timings["device"] = perf_counter() - start
        return answer


#: What is done in a lane, with a folder that is gone afterwards.
Craft = Callable[[Optimizer, Work, Path], None]


def optimize(optimizer: Optimizer, crafts: Mapping[Lane, Craft], lane: Lane) -> dict[str, int]:
    """
    Serve one ticket: one job of the lane, for as long as it takes.

    A process that is asked to end stops its program and gives the job back: nobody's failure.
    """
    work = _claim(optimizer, lane)
    if work is None:
        return {}
    with (
        followed([work]),
        optimizer.leases.hold([work.held]),
        optimizer.meter.busy(),
        TemporaryDirectory(prefix="impasto-") as folder,
    ):
        attempt(optimizer, work, partial(crafts[lane], optimizer, work, Path(folder)))
        ended = _hand_back(optimizer, work) if optimizer.closing.is_set() else None
        ended = ended or settle(optimizer, [work])
    optimizer.tickets.work(lane)  # there may be more
    return ended


def _claim(optimizer: Optimizer, lane: Lane) -> Work | None:
    lease, since = optimizer.worker_settings.lease_seconds, time_ns()
    with optimizer.sessions.begin() as session:
        rows: Any = jobs.claim(
            session,
            lane,
            worker=optimizer.worker,
            limit=1,
            pixels=1,
            lease=lease,
            ahead=optimizer.tally.ahead(lane),  # of one job only the order counts, not the unit
        )
        refused = licences.refuse_lapsed(session, rows, by=optimizer.worker)
        taken = [row for row in rows if row.id not in refused]
        names = {name for row in taken for name in row.parameters.get("mix") or ()}
        optimizer.stylebook.learn(session, {row.style_version_id for row in taken}, names)
        parents = traces.of_jobs(session, taken) if optimizer.tracer.on else {}
    if refused:
        tell(optimizer, [row for row in rows if row.id in refused], session)
        optimizer.tickets.work(lane)  # there may be more, and nobody else looks
    works = [Work(row, Held(row.id, row.attempt)) for row in taken]
    begin(optimizer, works, parents, since)
    return works[0] if works else None


def _hand_back(optimizer: Optimizer, work: Work) -> dict[str, int] | None:
    """None for work that was done before anybody asked us to end."""
    if work.error is None:
        return None
    with optimizer.sessions.begin() as session:
        jobs.hand_back(session, [work.held], by=optimizer.worker)
    return {"claimed": 1, "handed_back": 1}
