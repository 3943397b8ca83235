"""Device time between tenants: the policy alone, without a database."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.shares import Shares, taken

MOST_JOBS, MOST_MS = 8, 1_000.0


def line(cost: float, amount: int = 10_000) -> list[tuple[int, float]]:
    return [(number, cost) for number in range(amount)]


def claim(shares: Shares[int], lines: dict[int, list[tuple[int, float]]]) -> list[int]:
    """One claim, taken out of the lines: whose jobs they were."""
    waiting = {tenant: its for tenant, its in lines.items() if its}
    got = taken(waiting, shares.ahead(), most_jobs=MOST_JOBS, most_cost=MOST_MS)
    shares.claimed(got)
    for tenant, _ in got:
        lines[tenant].pop(0)
    return [tenant for tenant, _ in got]


def test_large_pictures_get_as_much_of_the_device_as_small_ones() -> None:
    shares: Shares[int] = Shares()
    lines = {1: line(10.0), 2: line(900.0)}
    spent: Counter[int] = Counter()
    for _ in range(500):
        for tenant in claim(shares, lines):
            spent[tenant] += {1: 10, 2: 900}[tenant]
    assert abs(spent[1] - spent[2]) <= MOST_MS + 900


def test_claims_of_one_picture_take_turns() -> None:
    shares: Shares[int] = Shares()
    lines = {1: line(2_000.0), 2: line(2_000.0), 3: line(2_000.0)}
    turns = [claim(shares, lines) for _ in range(6)]
    assert turns == [[1], [2], [3], [1], [2], [3]]


def test_who_was_away_has_saved_nothing() -> None:
    shares: Shares[int] = Shares()
    lines = {1: line(100.0), 2: line(100.0, 0)}
    for _ in range(50):
        claim(shares, lines)
    lines[2] = line(100.0)
    spent = Counter(tenant for _ in range(10) for tenant in claim(shares, lines))
    assert abs(spent[1] - spent[2]) <= 2 * MOST_JOBS


def test_what_was_measured_counts() -> None:
    shares: Shares[int] = Shares()
    lines = {1: line(2_000.0), 2: line(2_000.0)}
    assert claim(shares, lines) == [1]
    shares.corrected(1, 4_000.0)  # it took three times as long
    assert [claim(shares, lines) for _ in range(4)] == [[2], [2], [2], [1]]
    shares.corrected(2, -9_000.0)
    assert claim(shares, lines) == [2]


costs = st.floats(0.5, 3_000.0)
tenants = st.dictionaries(st.integers(0, 9), st.lists(costs, min_size=1, max_size=4), min_size=1)


@settings(deadline=None)
@given(tenants, st.integers(1, 60))
def test_those_who_wait_differ_by_a_claim_and_a_picture_each(
    sizes: dict[int, list[float]], claims: int
) -> None:
    shares: Shares[int] = Shares()
    numbers = count()
    jobs = {
        tenant: [(next(numbers), its[n % len(its)]) for n in range(claims * MOST_JOBS + 1)]
        for tenant, its in sizes.items()
    }
    spent = dict.fromkeys(sizes, 0.0)
    for _ in range(claims):
        got = taken(jobs, shares.ahead(), most_jobs=MOST_JOBS, most_cost=MOST_MS)
        assert got, "work conserving: somebody waits, so somebody is taken"
        assert len(got) <= MOST_JOBS
        assert len(got) == 1 or sum(cost for _, cost in got[:-1]) < MOST_MS
        shares.claimed(got)
        for tenant, cost in got:
            jobs[tenant].pop(0)
            spent[tenant] += cost
        for one, its in sizes.items():
            for other, others in sizes.items():
                assert spent[one] - spent[other] <= MOST_MS + max(its) + max(others) + 1e-6


@settings(deadline=None)
@given(tenants, costs, st.integers(0, 30))
def test_a_newcomer_waits_for_one_claim_of_each_at_most(
    sizes: dict[int, list[float]], cost: float, before: int
) -> None:
    shares: Shares[int] = Shares()
    numbers = count()
    lines = {
        tenant: [(next(numbers), its[n % len(its)]) for n in range(600)]
        for tenant, its in sizes.items()
    }
    for _ in range(before):
        claim(shares, lines)
    lines[99] = [(next(numbers), cost)]
    claims = next(n for n in count(1) if 99 in claim(shares, lines))
    assert claims <= len(sizes) + 1


def test_nothing_is_taken_of_nothing() -> None:
    nobody: dict[int, list[tuple[int, float]]] = {}
    assert taken(nobody, {}, most_jobs=1, most_cost=1.0) == []
    shares: Shares[int] = Shares()
    shares.claimed([])
    assert shares.ahead() == pytest.approx({})
