"""Tenants taking turns, against looking at each of them."""

from random import Random

import pytest

from app.crowd import Crowd
from app.db.backlog import Line


@pytest.mark.parametrize("seed", range(5))
def test_turns_are_summed_as_if_each_line_was_looked_at(seed: int) -> None:
    random = Random(seed)
    lines = [Line(random.randint(1, 40), random.randint(100, 10**7)) for _ in range(50)]
    crowd = Crowd(lines)
    for each in (0, 1, 10**5, 3 * 10**6, 10**7, 10**9):
        jobs, pixels = crowd.within(each)
        served = [min(line.pixels, each) for line in lines]
        assert pixels == pytest.approx(sum(served))
        assert jobs == pytest.approx(
            sum(its / line.mean_pixels for its, line in zip(served, lines, strict=True))
        )
    assert crowd.all == (sum(one.amount for one in lines), sum(one.pixels for one in lines))


def test_where_nobody_knows_sizes_jobs_are_equal() -> None:
    assert Crowd([Line(3, 0), Line(10, 0)]).within(5) == (8, 0)


def test_nobody_has_no_turns() -> None:
    assert Crowd([]).within(3) == (0, 0)
    assert Crowd([]).all == (0, 0)
