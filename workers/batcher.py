"""Dynamic batching: many threads hand in pictures, one thread draws them together."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Condition, Lock, Thread
from time import monotonic, perf_counter
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np

from app import exits, metrics
from app.errors import EngineBusy
from app.tracing import OFF, Span, Tracer
from workers.asks import Ask, Stylized, asked
from workers.batches import Batches, Budget
from workers.engines.base import Engine, Pictures
from workers.engines.faults import Fault, blamed, fault
from workers.relief import Caps, Relief, Step

Leave: TypeAlias = Callable[[int, str], None]  #: ends this process, by exit code and reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    item: Ask
    since: float  #: by the batcher's clock
    behind: bool  #: another batch was being drawn when it came
    spans: Sequence[Span]  #: whose it is
    future: "Future[Stylized]" = field(default_factory=Future)


class Batcher:
    """
    Runs `Batches` on one thread, which alone calls the engine: engines need no lock.

    A context manager; leaving it draws what was accepted, and refuses what comes later. At most
    `capacity` pictures wait. `patience` is how many seconds one engine call may take before
    `stalled` says that something is wrong: a call cannot be taken back, only its process can.
    A failed batch is halved until its guilty picture is alone; `leave` is called where no call can
    succeed any more, and may return: then the pictures fail as `DeviceMemory` or `OutputInvalid`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        budget: Budget,
        sticky: int = 1,
        capacity: int = 256,
        patience: float = 300.0,
        clock: Callable[[], float] = monotonic,
        caps: Caps | None = None,
        leave: Leave = lambda code, why: None,
        tracer: Tracer = OFF,
    ) -> None:
        self._engine = engine
        self._tracer = tracer
        self._relief = Relief(caps or Caps())
        self._leave = leave
        budget = replace(budget, cap=self._relief.caps.most)
        self._batches = Batches[_Entry](budget, sticky=sticky)
        self._scratch = np.empty(3 * budget.pixels, np.uint8)  # side by side, for any shape
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
        behind = self._calling_since is not None
        entry = _Entry(item, self._clock(), behind, self._tracer.here())
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
        shape = entries[0].item.shape
        most = self._relief.caps.most(shape) or len(entries)
        if len(entries) > most:  # learned since they left together
            for start in range(0, len(entries), most):
                self._draw(entries[start : start + most])
            return
        try:
            answers = self._traced(entries)
        except Exception as error:
            self._relieve(entries, error)
            return
        self._relief.well(shape)
        for entry, answer in zip(entries, answers, strict=True):
            entry.future.set_result(answer)

    def _relieve(self, entries: Sequence[_Entry], error: Exception) -> None:
        """After a failed call: whatever gives the others of the batch their pictures."""
        what = fault(error)
        step = self._relief.after(what, entries[0].item.shape, len(entries))
        metrics.engine_faults.labels(what.value, step.value).inc()
        match step:
            case Step.HALVE:
                middle = len(entries) // 2
                self._draw(entries[:middle])
                self._draw(entries[middle:])
                return
            case Step.RENEW if self._draws(renewed=True):
                self._draw(entries)
                return
            case Step.BLAME if self._draws():
                pass
            case _:
                memory = what is Fault.MEMORY
                self._leave(exits.MEMORY if memory else exits.DEVICE, str(error))
        for entry in entries:
            entry.future.set_exception(blamed(error))

    def _draws(self, *, renewed: bool = False) -> bool:
        """Whether the engine draws the smallest picture: no other is blamed for a broken engine."""
        self._calling_since = self._clock()
        try:
            if renewed:
                log.warning("out of memory with one picture: opening the engine anew")
                self._engine.renew()
            self._engine.warm_up()
        except Exception:
            log.exception("the engine draws nothing any more")
            return False
        finally:
            self._calling_since = None
        return True

    def _traced(self, entries: Sequence[_Entry]) -> list[Stylized]:
        """One call, told to the traces of all that are in it, and they of it."""
        items = [entry.item for entry in entries]
        if not self._tracer.on:
            return self._call(items)
        its = [span for entry in entries for span in entry.spans]
        with self._tracer.span("batch", links=its) as batch:
            height, width, *_ = items[0].shape
            batch.tell({"impasto.pictures": len(items), "impasto.height": height})
            batch.tell({"impasto.width": width, "impasto.engine": self._engine.name})
            for span in its:
                span.link(batch)
            return self._call(items)

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
