"""The batching policy on its own: who leaves with whom, and when."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.asks import Shape
from workers.batches import OVERTAKINGS, Batches, Budget

SMALL, WIDE, LARGE = (32, 32), (32, 64), (256, 256)
MAX_BATCH, MAX_PIXELS = 4, 3 * 32 * 64


@dataclass(frozen=True)
class Waiter:
    number: int
    shape: Shape
    urgent: bool


def queue(sticky: int = 1, budget: Budget | None = None) -> Batches[Waiter]:
    return Batches(budget or Budget(MAX_BATCH, MAX_PIXELS), sticky=sticky)


def put(batches: Batches[Waiter], *waiters: Waiter) -> None:
    for waiter in waiters:
        batches.add(waiter, shape=waiter.shape, urgent=waiter.urgent)


def patient(*shapes: Shape) -> list[Waiter]:
    return [Waiter(number, shape, False) for number, shape in enumerate(shapes)]


def test_a_lone_picture_leaves_at_once() -> None:
    batches = queue()
    [lone] = patient(SMALL)
    put(batches, lone)
    assert batches.pop() == [lone]
    assert batches.pop() == []


def test_what_piled_up_leaves_together_up_to_the_limit() -> None:
    batches = queue()
    waiters = patient(*[SMALL] * 6)
    put(batches, *waiters)
    assert batches.pop() == waiters[:4]
    assert batches.pop() == waiters[4:]


def test_pixels_limit_a_batch_too() -> None:
    batches = queue()
    waiters = patient(*[WIDE] * 4)
    put(batches, *waiters)
    assert [len(batches.pop()) for _ in range(2)] == [3, 1]


def test_a_picture_larger_than_the_budget_leaves_alone() -> None:
    batches = queue()
    put(batches, *patient(LARGE, LARGE))
    assert [len(batches.pop()) for _ in range(2)] == [1, 1]


def test_only_one_shape_shares_a_batch_and_the_longest_wait_goes_first() -> None:
    batches = queue()
    put(batches, *patient(WIDE, SMALL, SMALL, WIDE, SMALL))
    numbers = [[waiter.number for waiter in batches.pop()] for _ in range(2)]
    assert numbers == [[0, 3], [1, 2, 4]]


def test_a_rare_shape_is_not_starved_by_a_common_one() -> None:
    batches = queue()
    put(batches, *patient(SMALL, LARGE))
    for number in range(2, 40):
        put(batches, Waiter(number, SMALL, False))
    batches.pop()
    assert [waiter.shape for waiter in batches.pop()] == [LARGE]


def test_urgent_pictures_leave_first_and_without_company() -> None:
    batches = queue()
    put(batches, *patient(SMALL, SMALL), Waiter(2, SMALL, True))
    numbers = [[waiter.number for waiter in batches.pop()] for _ in range(2)]
    assert numbers == [[2], [0, 1]]


def test_urgent_pictures_do_not_hold_up_the_others_for_ever() -> None:
    batches = queue()
    put(batches, *patient(SMALL))
    for number in range(1, 100):
        put(batches, Waiter(number, LARGE, True))
    urgent = [batches.pop()[0].urgent for _ in range(OVERTAKINGS + 1)]
    assert urgent == [True] * OVERTAKINGS + [False]


def test_a_shape_stays_for_a_while_then_the_longest_wait_goes_first() -> None:
    batches = queue(sticky=3)
    put(batches, *patient(SMALL))
    batches.pop()
    put(batches, *patient(WIDE, *[SMALL] * 20, LARGE))
    shapes = [batches.pop()[0].shape for _ in range(5)]
    assert shapes == [SMALL, SMALL, WIDE, SMALL, SMALL]


def test_what_is_learned_meanwhile_bounds_a_batch() -> None:
    learned: dict[Shape, int] = {}
    batches = queue(budget=Budget(8, 2**20, cap=learned.get))
    put(batches, *patient(*[SMALL] * 9))
    assert len(batches.pop()) == 8
    learned[SMALL] = 2
    put(batches, *patient(*[SMALL] * 3))
    assert [len(batches.pop()) for _ in range(2)] == [2, 2]


def test_a_picture_that_fits_no_memory_still_leaves() -> None:
    batches = queue(budget=Budget(8, 2**20, cap=lambda shape: 0))
    put(batches, *patient(LARGE, LARGE))
    assert [len(batches.pop()) for _ in range(3)] == [1, 1, 0]


waiting = st.builds(
    Waiter, st.just(0), st.sampled_from([SMALL, WIDE, LARGE, (64, 32)]), st.booleans()
)


@dataclass
class Journal:
    """Plays a schedule of arrivals and departures, and writes down who left when."""

    schedule: list[Waiter | None]
    arrived: list[Waiter] = field(default_factory=list)
    ahead: dict[int, int] = field(default_factory=dict)  #: of the same urgency, on arrival
    arrival: dict[int, int] = field(default_factory=dict)  #: number of batches gone by then
    left: list[list[Waiter]] = field(default_factory=list)

    def play(self, batches: Batches[Waiter]) -> "Journal":
        for event in self.schedule:
            if event is None:
                self._leave(batches)
            else:
                self._arrive(batches, event)
        while len(batches):
            self._leave(batches)
        return self

    def _arrive(self, batches: Batches[Waiter], event: Waiter) -> None:
        waiter = Waiter(len(self.arrived), event.shape, event.urgent)
        gone = {each.number for batch in self.left for each in batch}
        self.ahead[waiter.number] = sum(
            each.urgent == waiter.urgent and each.number not in gone for each in self.arrived
        )
        self.arrival[waiter.number] = len(self.left)
        self.arrived.append(waiter)
        put(batches, waiter)

    def _leave(self, batches: Batches[Waiter]) -> None:
        length = len(batches)
        batch = batches.pop()
        assert bool(batch) == bool(length), "work conserving: somebody leaves if anybody waits"
        assert len(batches) == length - len(batch)
        if batch:
            self.left.append(batch)


schedules = st.lists(st.none() | waiting, max_size=60).map(Journal)


@settings(deadline=None)  # the machine may be busy
@given(schedules, st.integers(1, 5))
def test_nobody_is_lost_or_doubled(journal: Journal, sticky: int) -> None:
    journal.play(queue(sticky))
    left = [waiter.number for batch in journal.left for waiter in batch]
    assert sorted(left) == list(range(len(journal.arrived)))


@settings(deadline=None)  # the machine may be busy
@given(schedules, st.integers(1, 5), st.integers(1, 5))
def test_a_batch_has_one_shape_and_keeps_its_budget(
    journal: Journal, sticky: int, cap: int
) -> None:
    budget = Budget(MAX_BATCH, MAX_PIXELS, cap=lambda shape: cap)
    for batch in journal.play(queue(sticky, budget)).left:
        [(height, width)] = {waiter.shape for waiter in batch}
        pixels = len(batch) * height * width
        assert len(batch) <= MAX_BATCH
        if len(batch) > 1:
            assert pixels <= MAX_PIXELS
            assert len(batch) <= cap


@settings(deadline=None)  # the machine may be busy
@given(schedules)
def test_equals_leave_in_the_order_they_came(journal: Journal) -> None:
    journal.play(queue())
    for kind in {(waiter.shape, waiter.urgent) for waiter in journal.arrived}:
        numbers = [
            waiter.number
            for batch in journal.left
            for waiter in batch
            if (waiter.shape, waiter.urgent) == kind
        ]
        assert numbers == sorted(numbers)


@settings(max_examples=300, deadline=None)
@given(schedules, st.integers(1, 5))
def test_overtaking_is_bounded(journal: Journal, sticky: int) -> None:
    journal.play(queue(sticky))
    for number, batch in enumerate(journal.left):
        for waiter in batch:
            # So many batches for each who stood ahead, and its own.
            own = sticky * (journal.ahead[waiter.number] + 1)
            waited = number + 1 - journal.arrival[waiter.number]
            others = own // OVERTAKINGS + 1 if waiter.urgent else own * OVERTAKINGS
            assert waited <= own + others
