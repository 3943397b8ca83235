"""
A fleet in simulated time, run by the policies that workers run: `Batches`, `Shares` and `taken`.

Left out: decoding, encoding, the database, and that anything may fail.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import ceil, log
from typing import Final, Literal

from workers.asks import Shape
from workers.batches import Batches, Budget
from workers.shares import Shares, taken

GROUP, GROUP_MS, LOW = 64, 1_000.0, 8  #: a claim, and the waiting pictures that call for another
TICK: Final = 15.0  #: seconds between looks of the autoscaler
CALM: Final = 300.0  #: seconds for which fewer devices must do before one is let go
Lane = Literal["interactive", "campaign"]
LANES: Final[tuple[Lane, Lane]] = ("interactive", "campaign")
Picture = tuple[float, Lane, int]  #: when it came, where it waited, its pixels


@dataclass(frozen=True)
class Device:
    """What a batch takes, fitted to what was measured, and how much one may hold."""

    start_ms: float
    ms_per_megapixel: float
    pictures: int
    pixels: int
    sticky: int

    def milliseconds(self, pixels: int) -> float:
        return self.start_ms + self.ms_per_megapixel * pixels / 1e6

    def room(self, shape: Shape) -> int:
        return Budget(self.pictures, self.pixels).room(shape)

    def each(self, shape: Shape) -> float:
        """Milliseconds of a picture in a full batch: what claims foresee."""
        room, area = self.room(shape), shape[0] * shape[1]
        return self.milliseconds(room * area) / room


@dataclass(frozen=True)
class Rule:
    """How many devices there are: `least`, or as many as the backlog needs within `target`."""

    name: str
    least: int
    most: int
    target: float | None = None  #: seconds
    cold: float = 60.0  #: seconds from wanting a device to its first batch

    def wanted(self, backlog: float) -> int:
        """For a backlog in device-seconds."""
        if self.target is None:
            return self.least
        return max(self.least, min(self.most, ceil(backlog / self.target)))


@dataclass(slots=True)
class Run:
    """Equal pictures that were handed in together."""

    time: float
    tenant: int
    lane: Lane
    shape: Shape
    amount: int
    order: int = 0


@dataclass(eq=False, slots=True)
class Worker:
    """A device that is up."""

    batches: Batches[Picture]
    since: float
    shares: dict[Lane, Shares[int]] = field(
        default_factory=lambda: {lane: Shares() for lane in LANES}
    )


@dataclass
class Waits:
    """Seconds by steps of five in a hundred: ten million of them need no list."""

    bins: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        self.bins[0 if seconds < 1e-3 else 1 + int(log(seconds * 1e3) / log(1.05))] += 1

    def percentile(self, percent: float) -> float:
        """Seconds, at most five in a hundred too many."""
        rest = self.bins.total() * percent / 100
        for step in sorted(self.bins):
            rest -= self.bins[step]
            if rest <= 0:
                return 0.0 if step == 0 else float(1.05**step) / 1e3
        return 0.0


class Fleet:
    """`run` plays arrivals to their end; then the sums are read."""

    def __init__(self, device: Device, rule: Rule) -> None:
        self.device, self.rule = device, rule
        self.waits = {lane: Waits() for lane in LANES}
        self.now = self.busy_seconds = self.up_seconds = 0.0
        self.drawn = self.most = 0
        self._each: dict[Shape, float] = {}
        self._lines: dict[Lane, dict[int, deque[Run]]] = {lane: {} for lane in LANES}
        self._events: list[tuple[float, int, Worker | None]] = []  #: None: the autoscaler looks
        self._number = count()
        self._backlog_ms = 0.0
        self._up: set[Worker] = set()
        self._idle: list[Worker] = []
        self._working = self._coming = 0
        self._wanted: deque[tuple[float, int]] = deque()

    @property
    def utilisation(self) -> float:
        """Of the time that devices were up, cold starts included."""
        return self.busy_seconds / self.up_seconds

    def run(self, arrivals: Iterator[Run]) -> None:
        """Until all is drawn."""
        for _ in range(self.rule.least):
            self._open(self._new())
        self._at(TICK, None)
        coming = next(arrivals, None)
        while coming or self._working or self._waiting:
            if coming and coming.time <= self._events[0][0]:
                self.now = coming.time
                self._arrive(coming)
                coming = next(arrivals, None)
            else:
                self._happen()
        self.up_seconds += sum(self.now - worker.since for worker in self._up)

    @property
    def _waiting(self) -> bool:
        return any(self._lines.values())

    def _happen(self) -> None:
        self.now, _, worker = heappop(self._events)
        if worker is None:
            self._scale()
        elif worker in self._up:
            self._working -= 1
            self._step(worker)
        else:
            self._coming -= 1
            self._open(worker)

    def _at(self, time: float, worker: Worker | None) -> None:
        heappush(self._events, (time, next(self._number), worker))

    def _new(self) -> Worker:
        """It costs from now on, and works once it is warm."""
        budget = Budget(self.device.pictures, self.device.pixels)
        return Worker(Batches(budget, sticky=self.device.sticky), self.now)

    def _open(self, worker: Worker) -> None:
        self._up.add(worker)
        self.most = max(self.most, len(self._up))
        self._step(worker)

    def _arrive(self, run: Run) -> None:
        run.order = next(self._number)
        if run.shape not in self._each:
            self._each[run.shape] = self.device.each(run.shape)
        self._lines[run.lane].setdefault(run.tenant, deque()).append(run)
        self._backlog_ms += run.amount * self._each[run.shape]
        for _ in range(min(len(self._idle), ceil(run.amount / self.device.room(run.shape)))):
            self._step(self._idle.pop())

    def _step(self, worker: Worker) -> None:
        """As a worker's threads do: what somebody waits for first, then another group."""
        self._claim(worker, "interactive")
        if len(worker.batches) < LOW:
            self._claim(worker, "campaign")
        batch = worker.batches.pop()
        if not batch:
            self._idle.append(worker)
            return
        for time, lane, _ in batch:
            self.waits[lane].add(self.now - time)
        ms = self.device.milliseconds(sum(pixels for _, _, pixels in batch))
        self.drawn += len(batch)
        self.busy_seconds += ms / 1000
        self._working += 1
        self._at(self.now + ms / 1000, worker)

    def _claim(self, worker: Worker, lane: Lane) -> None:
        lines, shares = self._lines[lane], worker.shares[lane]
        if not lines:
            return
        line = {tenant: self._jobs(runs) for tenant, runs in lines.items()}
        got = taken(line, shares.ahead(), most_jobs=GROUP, most_cost=GROUP_MS)
        shares.claimed(got)
        for tenant, cost in got:
            run = lines[tenant][0]
            height, width, *_ = run.shape
            picture = run.time, lane, height * width
            worker.batches.add(picture, shape=run.shape, urgent=lane == "interactive")
            self._backlog_ms -= cost
            run.amount -= 1
            if not run.amount:
                lines[tenant].popleft()
                if not lines[tenant]:
                    del lines[tenant]

    def _jobs(self, runs: deque[Run]) -> Iterator[tuple[int, float]]:
        for run in runs:
            job = run.order, self._each[run.shape]
            for _ in range(run.amount):
                yield job

    def _scale(self) -> None:
        """More at once; fewer where fewer would have done for a while, and only idle ones."""
        self._at(self.now + TICK, None)
        there = len(self._up) + self._coming
        self._wanted.append((self.now, self.rule.wanted(self._backlog_ms / 1000)))
        while self._wanted[0][0] < self.now - CALM:
            self._wanted.popleft()
        wanted = max(number for _, number in self._wanted)
        for _ in range(there, wanted):
            self._coming += 1
            self._at(self.now + self.rule.cold, self._new())
        for _ in range(min(there - wanted, len(self._idle))):
            worker = self._idle.pop()
            self._up.remove(worker)
            self.up_seconds += self.now - worker.since
