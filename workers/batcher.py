"""Dynamic batching: many threads hand in pictures, one thread draws them together."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Lock, Thread
from time import monotonic, perf_counter
from types import TracebackType
from typing import Final, Generic, Self, TypeAlias, TypeVar

import numpy as np

from app import metrics
from app.errors import EngineBusy, OutputInvalid
from workers.asks import Ask, Shape, Stylized, asked
from workers.engines.base import Engine, Pictures

Waiting = TypeVar("Waiting")
Kind: TypeAlias = tuple[Shape, int | None]  #: what may leave together; a number is one alone
Lane: TypeAlias = dict[Kind, deque[tuple[int, Waiting]]]

OVERTAKINGS: Final = 4  #: urgent batches in a row while others wait


class Batches(Generic[Waiting]):
    """
    Which pictures leave together, and in which order. No threads and no clock: a place in the
    queue says who has waited longest.

    A batch has one shape, at most `max_batch` pictures and at most `max_batch_pixels` pixels (but
    always one picture). Nothing is held back to wait for company: batches form by themselves
    while the engine is busy. Urgent pictures leave first and alone, since company would slow
    them down; after four such batches the others get their turn. Among equals, the shape leaves
    whose oldest picture has waited longest, so every picture leaves after at most as many
    batches as pictures stood before it.
    """

    def __init__(self, *, max_batch: int, max_batch_pixels: int) -> None:
        self._max_batch = max_batch
        self._max_batch_pixels = max_batch_pixels
        self._urgent: Lane[Waiting] = {}
        self._patient: Lane[Waiting] = {}
        self._arrived = 0
        self._length = 0
        self._overtakings = 0

    def __len__(self) -> int:
        return self._length

    def add(
        self, waiting: Waiting, *, shape: Shape, urgent: bool = False, alone: bool = False
    ) -> None:
        """Queue a picture; one that wants to be `alone` leaves in a batch of its own."""
        lane = self._urgent if urgent else self._patient
        kind = shape, self._arrived if alone else None
        lane.setdefault(kind, deque()).append((self._arrived, waiting))
        self._arrived += 1
        self._length += 1

    def pop(self) -> list[Waiting]:
        """The next batch, oldest first; empty only if nothing waits."""
        lane = self._next_lane()
        if not lane:
            return []
        kind = min(lane, key=lambda kind: lane[kind][0][0])
        line = lane[kind]
        batch = [line.popleft()[1] for _ in range(min(len(line), self.room(kind[0])))]
        if not line:
            del lane[kind]
        self._length -= len(batch)
        return batch

    def _next_lane(self) -> Lane[Waiting]:
        turn_of_the_patient = self._patient and self._overtakings >= OVERTAKINGS
        if self._urgent and not turn_of_the_patient:
            self._overtakings += bool(self._patient)
            return self._urgent
        self._overtakings = 0
        return self._patient

    def room(self, shape: Shape) -> int:
        """How many pictures of that shape leave together."""
        height, width, *_ = shape
        return max(1, min(self._max_batch, self._max_batch_pixels // (height * width)))


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    item: Ask
    since: float  #: by the batcher's clock
    behind: bool  #: another batch was being drawn when it came
    future: "Future[Stylized]" = field(default_factory=Future)


class Batcher:
    """
    Runs `Batches` on one thread, which alone calls the engine: engines need no lock.

    A context manager; leaving it draws what was accepted, and refuses what comes later. At most
    `capacity` pictures wait. `patience` is how many seconds one engine call may take before
    `stalled` says that something is wrong: a call cannot be taken back, only its process can.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch: int,
        max_batch_pixels: int,
        capacity: int = 256,
        patience: float = 300.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._batches = Batches[_Entry](max_batch=max_batch, max_batch_pixels=max_batch_pixels)
        self._scratch = np.empty(
            3 * max_batch_pixels, np.uint8
        )  # contents side by side, for any shape
        self._capacity = capacity
        self._patience = patience
        self._clock = clock
        self._calling_since: float | None = None
        self._closed = False
        lock = Lock()
        self._filled, self._emptied = Condition(lock), Condition(lock)
        self._thread = Thread(target=self._loop, name="batcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._filled:
            self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()
        self._thread.join()

    def submit(self, item: Ask, *, timeout: float = 30.0) -> "Future[Stylized]":
        """
        Hand in one picture; waits up to `timeout` seconds for room, then raises `EngineBusy`.

        The future fails with `OutputInvalid` if the engine cannot draw this very picture. A
        future that is cancelled before its batch leaves costs nothing.
        """
        entry = _Entry(item, self._clock(), self._calling_since is not None)
        with self._filled:
            if not self._emptied.wait_for(self._accepts, timeout) or self._closed:
                raise EngineBusy("the engine takes no more pictures for now")
            self._batches.add(entry, shape=item.shape, urgent=item.urgent, alone=item.alone)
            self._filled.notify()
        return entry.future

    def stalled(self, now: float) -> bool:
        """Whether the engine has been at one call for longer than `patience`."""
        since = self._calling_since
        return since is not None and now - since > self._patience

    def _accepts(self) -> bool:
        return self._closed or len(self._batches) < self._capacity

    def _loop(self) -> None:
        while batch := self._next():
            entries = [entry for entry in batch if entry.future.set_running_or_notify_cancel()]
            if entries:
                self._draw(entries)

    def _next(self) -> list[_Entry]:
        """Block until something waits; empty means closed and drained."""
        with self._filled:
            self._filled.wait_for(lambda: self._batches or self._closed)
            batch = self._batches.pop()
            self._emptied.notify(len(batch))
        if batch:
            first = min(batch, key=lambda entry: entry.since)
            cause = "engine" if first.behind else "none"
            metrics.batch_wait.labels(cause).observe(self._clock() - first.since)
        return batch

    def _draw(self, entries: Sequence[_Entry]) -> None:
        try:
            answers = self._call([entry.item for entry in entries])
        except Exception as error:
            self._blame(entries, error)
            return
        for entry, answer in zip(entries, answers, strict=True):
            entry.future.set_result(answer)

    def _blame(self, entries: Sequence[_Entry], error: Exception) -> None:
        """One picture alone is guilty; of several, each gets its own chance."""
        if len(entries) > 1:
            for entry in entries:
                self._draw([entry])
            return
        if not isinstance(error, OutputInvalid):
            invalid = OutputInvalid(f"the engine failed: {error}")
            invalid.__cause__ = error
            error = invalid
        entries[0].future.set_exception(error)

    def _call(self, items: Sequence[Ask]) -> list[Stylized]:
        content = self._content(items)
        self._calling_since = self._clock()
        start = perf_counter()
        try:
            stylized = asked(self._engine, content, items)
        finally:
            self._calling_since = None
        seconds, amount = perf_counter() - start, len(items)
        self._tell(items, seconds)
        device_ms = seconds * 1000
        return [Stylized(amount, device_ms, 1 / amount, pixels) for pixels in stylized]

    def _tell(self, items: Sequence[Ask], seconds: float) -> None:
        height, width, *_ = items[0].shape
        metrics.device_seconds.inc(seconds)
        metrics.batch_pictures.observe(len(items))
        metrics.batch_pixels.observe(len(items) * height * width / 1e6)
        metrics.batch_fill.observe(len(items) / self._batches.room(items[0].shape))

    def _content(self, items: Sequence[Ask]) -> Pictures:
        if len(items) == 1:
            return items[0].pixels[None]
        shape = (len(items), *items[0].pixels.shape)
        content = self._scratch[: np.prod(shape)].reshape(shape)
        return np.stack([item.pixels for item in items], out=content)
