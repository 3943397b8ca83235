"""Simulated fleets: sums that hold whatever the policies do."""

from collections.abc import Iterator

import pytest

from benchmarks.fleet import Device, Fleet, Rule, Run
from benchmarks.simulate import Load, device, fitted

DEVICE = Device(start_ms=10.0, ms_per_megapixel=900.0, pictures=8, pixels=2**21, sticky=1)


def fleet(rule: Rule, load: Load | Iterator[Run]) -> Fleet:
    its = Fleet(DEVICE, rule)
    its.run(load.arrivals(DEVICE) if isinstance(load, Load) else load)
    return its


def test_everything_is_drawn_once_and_nobody_works_more_than_all_the_time() -> None:
    load = Load(3_000, 4, 0.6)
    its = fleet(Rule("fixed", 4, 4), load)
    assert its.drawn == sum(run.amount for run in load.arrivals(DEVICE))
    assert sum(waits.bins.total() for waits in its.waits.values()) == its.drawn
    assert 0 < its.utilisation <= 1
    assert its.up_seconds == pytest.approx(4 * its.now)


def test_half_a_fleet_waits_longer_and_costs_less() -> None:
    load = Load(20_000, 8, 0.6)
    whole, half = fleet(Rule("fixed", 8, 8), load), fleet(Rule("half", 4, 4), load)
    assert half.waits["campaign"].percentile(95) > whole.waits["campaign"].percentile(95)
    assert half.up_seconds < whole.up_seconds


def test_a_fleet_follows_its_backlog_up_and_down() -> None:
    runs = [
        Run(0.0, 1, "campaign", (1024, 1024), 2_000),
        Run(9_000.0, 1, "interactive", (64, 64), 1),
    ]
    its = fleet(Rule("backlog", 1, 8, target=60.0, cold=30.0), iter(runs))
    assert its.most == 8
    assert its.up_seconds < 2 * its.now, "one stays, the others left when they had been idle"


def test_who_waits_for_a_picture_is_drawn_before_campaigns() -> None:
    runs = [
        Run(0.0, 1, "campaign", (1024, 1024), 1_000),
        Run(5.0, 2, "interactive", (512, 512), 1),
    ]
    its = fleet(Rule("fixed", 1, 1), iter(runs))
    assert its.waits["interactive"].percentile(100) < 3 * DEVICE.milliseconds(2**21) / 1000


def test_tenants_who_come_later_do_not_wait_for_those_before() -> None:
    alone = fleet(Rule("fixed", 1, 1), iter([Run(1.0, 2, "campaign", (512, 512), 50)]))
    runs = [
        Run(0.0, 1, "campaign", (1440, 1080), 5_000),
        Run(1.0, 2, "campaign", (512, 512), 50),
    ]
    beside = fleet(Rule("fixed", 1, 1), iter(runs))
    last = alone.waits["campaign"].percentile(100)
    share = beside.waits["campaign"]
    assert sum(n for step, n in share.bins.items() if 1.05**step / 1e3 <= 3 * last + 5) >= 50


def test_a_cost_model_is_a_line_through_what_was_measured() -> None:
    line = [{"megapixels": x, "ms": 5 + 800 * x} for x in (0.06, 0.26, 1.0, 1.5)]
    assert fitted(line) == pytest.approx((5, 800))
    its = device("cpu")
    assert its.room((512, 512)) == 1
    assert 500 < its.ms_per_megapixel < 5_000
