"""The batcher's one thread, around engines that are slow, broken or lying."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import Event, current_thread
from time import monotonic
from typing import Any

import numpy as np
import pytest

from app import exits
from app.errors import DeviceMemory, EngineBusy, OutputInvalid
from workers.asks import Item, Stylized
from workers.batcher import Batcher
from workers.batches import Budget
from workers.engines.base import Embeddings, Engine, Pictures, Strengths
from workers.engines.null import AllocationFailed, NullEngine
from workers.relief import Caps

SECONDS = 10.0  #: nothing here takes that long


def item(shade: int, side: int = 32, *, urgent: bool = False) -> Item:
    """A grey square that names its own style, so that mixing pictures up would show."""
    pixels = np.full((side, side, 3), shade, np.uint8)
    return Item(pixels, np.array([shade], np.float32), shade / 255, urgent)


class Recorder(NullEngine):
    """Inverts, and remembers the shades, styles and threads of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.before: Callable[[list[int]], None] = lambda shades: None

    def warm_up(self) -> None:
        """It draws, always; what is counted here are pictures of callers."""

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
        shades = content[:, 0, 0, 0].tolist()
        self.batches.append(shades)
        self.threads.add(current_thread().name)
        assert style.dtype == strength.dtype == np.float32
        assert content.flags.c_contiguous
        assert style.ravel().tolist() == shades
        np.testing.assert_allclose(strength, np.array(shades) / 255, rtol=1e-6)
        self.before(shades)
        return 255 - content


class Busy(Recorder):
    """Stops inside its first call until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.release = Event(), Event()
        self.before = self._wait

    def _wait(self, shades: list[int]) -> None:
        self.started.set()
        assert self.release.wait(SECONDS)


@contextmanager
def batcher(
    engine: Engine, pixels: int = 2**20, pictures: int = 4, **options: Any
) -> Iterator[Batcher]:
    with Batcher(engine, budget=Budget(pictures, pixels), **options) as running:
        yield running


@contextmanager
def occupied(pixels: int = 2**20, **options: Any) -> Iterator[tuple[Busy, Batcher]]:
    """A batcher whose engine is busy with picture 0; it ends when the block ends."""
    engine = Busy()
    with batcher(engine, pixels, **options) as running:
        running.submit(item(0))
        assert engine.started.wait(SECONDS)
        try:
            yield engine, running
        finally:
            engine.release.set()


def shade(future: "Future[Stylized]") -> int:
    return int(future.result(SECONDS).pixels[0, 0, 0])


def test_a_lone_picture_is_drawn_at_once() -> None:
    engine = Recorder()
    with batcher(engine) as running:
        assert shade(running.submit(item(7))) == 248
    assert engine.batches == [[7]]


def test_pictures_pile_up_while_the_engine_is_busy() -> None:
    with occupied() as (engine, running):
        for number in range(1, 7):
            running.submit(item(number))
    assert engine.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_styles_share_a_batch_and_shapes_do_not() -> None:
    with occupied() as (engine, running):
        for number in range(1, 5):
            running.submit(item(number, 32 if number % 2 else 48))
    assert engine.batches == [[0], [1, 3], [2, 4]]


def test_somebody_who_waits_is_served_first() -> None:
    with occupied() as (engine, running):
        for number in (1, 2, 3):
            running.submit(item(number, urgent=number == 3))
    assert engine.batches == [[0], [3], [1, 2]]


def test_an_answer_says_what_it_cost() -> None:
    with occupied() as (engine, running):
        futures = [running.submit(item(number)) for number in (1, 2, 3, 4)]
        engine.release.set()
        answers = [future.result(SECONDS) for future in futures]
    assert {answer.batch_size for answer in answers} == {4}
    assert sum(answer.pixel_share for answer in answers) == pytest.approx(1)
    assert len({answer.device_ms for answer in answers}) == 1


def test_device_time_is_the_engines_own() -> None:
    with batcher(NullEngine(device_ms=30)) as running:
        assert 30 <= running.submit(item(1)).result(SECONDS).device_ms < 3000


def test_pictures_of_one_batch_do_not_share_memory_with_the_next() -> None:
    with occupied() as (engine, running):
        futures = [running.submit(item(number)) for number in range(1, 9)]
        engine.release.set()
    assert [shade(future) for future in futures] == [255 - number for number in range(1, 9)]


def test_only_one_thread_calls_the_engine_whoever_submits() -> None:
    engine = Recorder()
    with batcher(engine) as running, ThreadPoolExecutor(8) as threads:
        futures = list(threads.map(lambda number: running.submit(item(number)), range(200)))
        assert [shade(future) for future in futures] == [255 - number for number in range(200)]
    assert engine.threads == {"batcher"}
    assert sorted(chain.from_iterable(engine.batches)) == list(range(200))


def test_only_the_guilty_picture_of_a_batch_fails() -> None:
    def choke(shades: list[int]) -> None:
        if 3 in shades:
            raise RuntimeError("a node failed")

    with occupied() as (engine, running):
        futures = {number: running.submit(item(number)) for number in (1, 2, 3, 4)}
        engine.before = choke
    assert [shade(futures[number]) for number in (1, 2, 4)] == [254, 253, 251]
    with pytest.raises(OutputInvalid, match="the engine failed: a node failed") as failure:
        futures[3].result(SECONDS)
    assert isinstance(failure.value.__cause__, RuntimeError)
    assert engine.batches == [[0], [1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]


def test_the_engine_goes_on_after_a_failure() -> None:
    engine = Recorder()
    with batcher(engine) as running:
        engine.before = lambda shades: (_ for _ in ()).throw(ValueError("broken"))
        with pytest.raises(OutputInvalid, match="broken"):
            running.submit(item(1)).result(SECONDS)
        engine.before = lambda shades: None
        assert shade(running.submit(item(2))) == 253


class Liar(NullEngine):
    """Draws something else than what was asked for."""

    def __init__(self, lie: Callable[[Pictures], Pictures]) -> None:
        super().__init__()
        self._lie = lie

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
        return self._lie(content)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (lambda content: content[:-1], r"answered uint8 \[0, 32, 32, 3\]"),
        (lambda content: content[:, ::2], r"answered uint8 \[1, 16, 32, 3\]"),
        (lambda content: content / np.float32(2), r"answered float32 \[1, 32, 32, 3\]"),
    ],
    ids=["count", "size", "type"],
)
def test_an_answer_of_another_kind_is_no_picture(
    lie: Callable[[Pictures], Pictures], said: str
) -> None:
    with batcher(Liar(lie)) as running, pytest.raises(OutputInvalid, match=said):
        running.submit(item(1)).result(SECONDS)


def test_a_cancelled_picture_is_not_drawn() -> None:
    with occupied() as (engine, running):
        kept, dropped = running.submit(item(1)), running.submit(item(2))
        assert dropped.cancel()
    assert shade(kept) == 254
    assert engine.batches == [[0], [1]]


def test_a_full_batcher_makes_its_callers_wait_then_refuses() -> None:
    with occupied(capacity=2) as (_, running):
        running.submit(item(1))
        running.submit(item(2))
        start = monotonic()
        with pytest.raises(EngineBusy, match="no more pictures for now"):
            running.submit(item(3), timeout=0.05)
        assert monotonic() - start >= 0.05


def test_a_caller_who_waits_gets_in_when_there_is_room() -> None:
    with occupied(capacity=1) as (engine, running), ThreadPoolExecutor(1) as threads:
        running.submit(item(1))
        late = threads.submit(running.submit, item(2), timeout=SECONDS)
        engine.release.set()
        assert shade(late.result(SECONDS)) == 253


def test_closing_draws_what_was_accepted_and_refuses_the_rest() -> None:
    with occupied() as (engine, running):
        futures = [running.submit(item(number)) for number in range(1, 10)]
        engine.release.set()
    assert [shade(future) for future in futures] == [255 - number for number in range(1, 10)]
    with pytest.raises(EngineBusy):
        running.submit(item(99))


def test_a_caller_who_waits_is_refused_when_the_batcher_closes() -> None:
    with occupied(capacity=1) as (engine, running), ThreadPoolExecutor(2) as threads:
        running.submit(item(1))
        late = threads.submit(running.submit, item(2), timeout=SECONDS)
        closing = threads.submit(running.__exit__, None, None, None)
        with pytest.raises(EngineBusy):
            late.result(SECONDS)
        engine.release.set()
        closing.result(SECONDS)


def test_a_call_that_outlasts_our_patience_shows() -> None:
    with occupied(patience=5.0) as (engine, running):
        assert not running.stalled(monotonic())
        assert running.stalled(monotonic() + 6)
        engine.release.set()
    assert not running.stalled(monotonic() + 6)


def test_a_picture_larger_than_the_budget_is_drawn_alone() -> None:
    with occupied(pixels=32 * 32) as (engine, running):
        running.submit(item(1, side=64))
        running.submit(item(2, side=64))
    assert engine.batches == [[0], [1], [2]]


class Small(Recorder):
    """Has memory for so many pictures, as long as it is well."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.renewals, self.ill = room, 0, False
        self.before = self._allocate

    def _allocate(self, shades: list[int]) -> None:
        if self.ill or len(shades) > self.room:
            raise AllocationFailed(self.room, len(shades))

    def renew(self) -> None:
        self.renewals += 1
        self.ill = False


def test_what_does_not_fit_is_drawn_in_parts_and_remembered() -> None:
    engine, caps = Small(room=2), Caps()
    with batcher(engine, pictures=8, caps=caps) as running:
        first = [running.submit(item(number)) for number in range(1, 10)]
        assert [shade(future) for future in first] == [255 - number for number in range(1, 10)]
        before = len(engine.batches)
        later = [running.submit(item(number)) for number in range(10, 20)]
        assert [shade(future) for future in later] == [255 - number for number in range(10, 20)]
    learned = caps.most((32, 32)) or 0
    assert 1 <= learned <= 2  # half of what failed, and that depends on who met the first batch
    assert max(len(batch) for batch in engine.batches[before:]) <= learned
    assert engine.renewals == 0


def test_an_engine_spoilt_by_a_failed_allocation_is_opened_anew() -> None:
    engine = Small(room=4)
    with batcher(engine) as running:
        engine.ill = True
        assert shade(running.submit(item(1))) == 254
    assert engine.renewals == 1


def test_memory_that_is_gone_for_good_ends_the_process() -> None:
    engine, left = Small(room=4), []
    with batcher(engine, leave=lambda code, why: left.append(code)) as running:
        assert shade(running.submit(item(1))) == 254
        engine.room = 0
        with pytest.raises(DeviceMemory):
            running.submit(item(2)).result(SECONDS)
    assert left == [exits.MEMORY]
    assert engine.renewals == 1


def test_a_picture_that_never_fitted_is_the_only_one_to_fail() -> None:
    engine, left = NullEngine(pixels=64 * 64), []
    with batcher(engine, leave=lambda code, why: left.append(code)) as running:
        large, small = running.submit(item(1, side=65)), running.submit(item(2))
        with pytest.raises(DeviceMemory, match="AllocateRawInternal"):
            large.result(SECONDS)
        assert shade(small) == 2
    assert left == []


def test_a_lost_device_ends_the_process_at_once() -> None:
    engine, left = Recorder(), []

    def lost(shades: list[int]) -> None:
        raise RuntimeError("CUDA failure 700: an illegal memory access was encountered")

    with batcher(engine, leave=lambda code, why: left.append(code)) as running:
        engine.before = lost
        with pytest.raises(DeviceMemory):
            running.submit(item(1)).result(SECONDS)
    assert left == [exits.DEVICE]
    assert len(engine.batches) == 1


class Dead(Recorder):
    """Draws nothing at all."""

    def warm_up(self) -> None:
        raise RuntimeError("a node failed")


def test_no_picture_is_blamed_by_an_engine_that_draws_nothing() -> None:
    engine, left = Dead(), []
    with batcher(engine, leave=lambda code, why: left.append(code)) as running:
        engine.before = lambda shades: engine.warm_up()
        with pytest.raises(OutputInvalid):
            running.submit(item(1)).result(SECONDS)
    assert left == [exits.DEVICE]
