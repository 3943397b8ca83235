"""When work is refused since too much waits: the rule alone."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.job import Lane
from app.domain.pressure import LONGEST, UNKNOWN, Weight, Weights

amounts = st.floats(0, 1e9)
lanes = st.dictionaries(st.sampled_from(Lane), st.builds(Weight, amounts, amounts))
weights = st.builds(Weights, lanes, st.integers(0, 300), st.integers(0, 300))


def waiting(**seconds: float) -> Weights:
    """Four workers, each busy for twice as long as its device."""
    its = {Lane(lane): Weight(1000 * each, 2000 * each) for lane, each in seconds.items()}
    return Weights(its, stylizing=4, optimizing=1)


def test_what_is_over_the_bound_is_drained_by_those_who_work() -> None:
    assert waiting(campaign=100).wait(Lane.CAMPAIGN, 101) is None
    assert waiting(campaign=100).wait(Lane.CAMPAIGN, 60) == 20
    assert waiting(print=100).wait(Lane.PRINT, 60) == 80


def test_campaigns_are_in_nobodys_way_who_waits_for_a_picture() -> None:
    full = waiting(campaign=10**6, fetch=10**6, interactive=5)
    assert full.wait(Lane.INTERACTIVE, 10) is None
    assert full.wait(Lane.CAMPAIGN, 10**6) == LONGEST


def test_what_came_in_since_counts() -> None:
    assert waiting().wait(Lane.INTERACTIVE, 10, more_ms=14_000) == 1
    assert waiting(interactive=10).wait(Lane.INTERACTIVE, 10, more_ms=4_000) == 2


def test_where_nobody_works_nobody_knows() -> None:
    its = Weights({Lane.CAMPAIGN: Weight(10**6, 10**6)}, stylizing=0, optimizing=7)
    assert its.wait(Lane.CAMPAIGN, 1) == UNKNOWN


@given(weights, st.sampled_from(Lane), st.floats(1, 1e6), amounts)
def test_a_refusal_says_a_time_and_an_empty_queue_never_refuses(
    its: Weights, lane: Lane, bound: float, more: float
) -> None:
    wait = its.wait(lane, bound, more)
    assert wait is None or 1 <= wait <= LONGEST
    assert Weights({}, its.stylizing, its.optimizing).wait(lane, bound) is None


@given(weights, st.sampled_from(Lane), st.floats(1, 1e6))
def test_a_higher_bound_is_never_refused_sooner(its: Weights, lane: Lane, bound: float) -> None:
    lower, higher = its.wait(lane, bound), its.wait(lane, 2 * bound)
    assert higher is None or (lower is not None and lower >= higher)
