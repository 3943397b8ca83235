"""Holds new work back while too much waits: asked for every submission, from one glance."""

from collections import defaultdict
from collections.abc import Iterable
from threading import Lock
from typing import Final

from sqlalchemy.orm import Session

from app.db import backlog, paces
from app.db.backlog import Running
from app.db.intake import NewJob
from app.domain.job import Lane
from app.domain.pace import CostModel
from app.domain.pressure import BEFORE, Weight, Weights
from app.errors import Overloaded
from app.glance import Glance
from app.settings import PressureSettings

FRESH: Final = 1.0  #: seconds
SHARE: Final = 5.0  #: times what looking took: a look at a million jobs is good for longer
USUAL: Final = 1e6  #: pixels of a picture that nobody has seen yet


class Pressure:
    """
    One for a process; any thread may ask.

    What it knows is a second old, with what this process has let in since: so what may come above
    the bound is what other processes let in within a second, and one campaign.
    """

    def __init__(self, fresh: float = FRESH, share: float = SHARE) -> None:
        self._glance = Glance[Weights](fresh, share)
        self._since: defaultdict[Lane, float] = defaultdict(float)
        self._lock = Lock()

    def check(
        self, session: Session, bounds: PressureSettings, model: CostModel, lane: Lane
    ) -> None:
        """Raises `Overloaded` where more waits before new work of the lane than `bounds` allow."""
        bound = _bound(bounds, lane)
        if not bound:
            return
        weights = self._glance.at(lambda: self._look(session, model))
        more_ms = sum(self._since.get(one, 0.0) for one in BEFORE[lane])
        wait = weights.wait(lane, bound, more_ms)
        if wait is not None:
            raise Overloaded(
                f"More than {bound:,} device-seconds of work wait before this. "
                f"Try again in {wait:,} seconds.",
                retry_after=wait,
            )

    def let_in(self, model: CostModel, jobs: Iterable[NewJob]) -> None:
        """These are being accepted; they count until the next look finds them itself."""
        sums: dict[Lane, Running] = {}
        for job in jobs:
            known = sums.get(job.lane, Running())
            sums[job.lane] = Running(known.amount + 1, known.pixels + job.pixels)
        with self._lock:
            for lane, its in sums.items():
                self._since[lane] += _weight(model, lane, its).device_ms

    def _look(self, session: Session, model: CostModel) -> Weights:
        with self._lock:
            self._since.clear()
        found, workers = backlog.open_jobs(session), paces.workers(session)
        lanes = {lane: _weight(model, lane, its) for lane, its in found.items()}
        return Weights(lanes, workers.stylizing, workers.optimizing)


def _bound(bounds: PressureSettings, lane: Lane) -> int:
    if lane.slow:
        return bounds.print_seconds
    return bounds.interactive_seconds if lane is Lane.INTERACTIVE else bounds.campaign_seconds


def _weight(model: CostModel, lane: Lane, its: Running) -> Weight:
    """Taken as equals; what is still behind a URL as usual pictures."""
    pixels = USUAL if lane is Lane.FETCH else its.pixels / its.amount
    device_ms = model.usage(lane, pixels).device_ms
    busy_ms = model.busy_ms(lane, pixels)
    return Weight(its.amount * device_ms, its.amount * (device_ms if busy_ms is None else busy_ms))
