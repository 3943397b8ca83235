"""Tenants taking turns, against counting them one by one."""

from random import Random

import pytest

from app.crowd import Crowd
from app.db.backlog import Line


@pytest.mark.parametrize("seed", range(5))
def test_turns_are_summed_as_if_each_line_was_looked_at(seed: int) -> None:
    random = Random(seed)
    lines = [Line(random.randint(1, 40), random.randint(1, 10**7)) for _ in range(50)]
    crowd = Crowd(lines)
    for turns in (0, 1, 7, 39, 40, 1_000):
        jobs, pixels = crowd.within(turns)
        each = [min(line.amount, turns) for line in lines]
        assert jobs == sum(each)
        assert pixels == pytest.approx(
            sum(n * line.mean_pixels for n, line in zip(each, lines, strict=True))
        )
    assert crowd.all == (sum(one.amount for one in lines), sum(one.pixels for one in lines))


def test_nobody_has_no_turns() -> None:
    assert Crowd([]).within(3) == (0, 0)
    assert Crowd([]).all == (0, 0)
