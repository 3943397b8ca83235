"""What is done after failed calls, against every device and every set of bad pictures."""

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from workers.asks import Shape
from workers.engines.faults import Fault
from workers.relief import Caps, Relief, Step

SHAPE: Shape = (512, 512)


class Bench:
    """Draws a batch as the batcher does, with a device of so much room; counts its calls."""

    def __init__(self, room: int, bad: set[int], *, known: int | None = None) -> None:
        self.room, self.bad = room, bad
        self.relief = Relief(Caps({} if known is None else {SHAPE: known}))
        self.drawn: list[int] = []
        self.blamed: list[int] = []
        self.calls: list[int] = []
        self.renewals = 0

    def draw(self, batch: list[int]) -> None:
        most = self.relief.caps.most(SHAPE) or len(batch)
        for start in range(0, len(batch), most):
            self._call(batch[start : start + most])

    def _call(self, batch: list[int]) -> None:
        self.calls.append(len(batch))
        if len(batch) > self.room:
            self._after(Fault.MEMORY, batch)
        elif self.bad & set(batch):
            self._after(Fault.OTHER, batch)
        else:
            self.relief.well(SHAPE)
            self.drawn += batch

    def _after(self, fault: Fault, batch: list[int]) -> None:
        match self.relief.after(fault, SHAPE, len(batch)):
            case Step.HALVE:
                self.draw(batch[: len(batch) // 2])
                self.draw(batch[len(batch) // 2 :])
            case Step.RENEW:
                self.renewals += 1
                self.draw(batch)
            case Step.BLAME:
                self.blamed += batch
            case Step.LEAVE:
                raise AssertionError("nothing here is broken for good")


sizes = st.integers(1, 64)


@given(sizes, sizes, st.sets(st.integers(0, 63)))
def test_exactly_the_bad_pictures_fail(amount: int, room: int, bad: set[int]) -> None:
    bench = Bench(room, bad)
    bench.draw(list(range(amount)))
    assert sorted(bench.drawn + bench.blamed) == list(range(amount))
    assert set(bench.blamed) == bad & set(range(amount))
    assert bench.renewals == 0


@given(sizes, st.integers(0, 63))
def test_one_bad_picture_costs_two_calls_a_halving(amount: int, bad: int) -> None:
    bench = Bench(64, {bad % amount})
    bench.draw(list(range(amount)))
    assert len(bench.calls) - 1 <= 2 * ceil(log2(amount))


@given(sizes, sizes, st.lists(sizes, min_size=1, max_size=8))
def test_a_batch_that_did_not_fit_is_never_tried_again(
    amount: int, room: int, later: list[int]
) -> None:
    bench = Bench(room, set())
    bench.draw(list(range(amount)))
    failed = {size for size in bench.calls if size > room}
    assert len(failed) == len([size for size in bench.calls if size > room])
    for size in later:
        before = len(bench.calls)
        bench.draw(list(range(size)))
        assert not failed & set(bench.calls[before:])


@given(sizes, sizes)
def test_a_cap_leaves_at_least_half_of_the_room_and_one_picture(amount: int, room: int) -> None:
    bench = Bench(room, set())
    bench.draw(list(range(amount)))
    cap = bench.relief.caps.most(SHAPE)
    assert (cap is None) == (amount <= room)
    assert cap is None or room / 2 <= cap <= room or cap == 1


@given(st.lists(st.tuples(st.sampled_from([(8, 8), (9, 9, 2)]), st.integers(1, 64)), min_size=1))
def test_caps_only_fall_and_every_fall_is_told_once(failures: list[tuple[Shape, int]]) -> None:
    told: list[tuple[Shape, int]] = []
    caps = Caps(learned=lambda shape, most: told.append((shape, most)))
    for shape, pictures in failures:
        before = caps.most(shape)
        caps.failed(shape, pictures)
        after = caps.most(shape)
        assert after is None or before is None or after <= before
        assert after is None or after >= 1
    for shape in {shape for shape, _ in failures}:
        its = [most for of, most in told if of == shape]
        assert its == sorted(set(its), reverse=True)


def test_sessions_are_opened_anew_once_until_something_is_drawn() -> None:
    relief = Relief(Caps())
    assert relief.after(Fault.MEMORY, (9, 9), 1) is Step.RENEW
    assert relief.after(Fault.MEMORY, (9, 9), 1) is Step.BLAME
    assert relief.after(Fault.MEMORY, (9, 9), 1) is Step.BLAME
    assert relief.after(Fault.MEMORY, (8, 8), 1) is Step.BLAME
    relief.well((7, 7))
    assert relief.after(Fault.MEMORY, (9, 9), 1) is Step.BLAME  # known not to fit
    assert relief.after(Fault.MEMORY, (7, 7), 1) is Step.RENEW


def test_what_fitted_before_and_does_not_after_a_renewal_is_the_devices_end() -> None:
    relief = Relief(Caps())
    relief.well(SHAPE)
    assert relief.after(Fault.MEMORY, SHAPE, 1) is Step.RENEW
    assert relief.after(Fault.MEMORY, SHAPE, 1) is Step.LEAVE


@given(sizes)
def test_a_lost_device_is_left_whatever_the_batch(pictures: int) -> None:
    assert Relief(Caps()).after(Fault.DEVICE, SHAPE, pictures) is Step.LEAVE
