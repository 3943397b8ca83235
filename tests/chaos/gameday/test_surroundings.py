"""Clocks an hour off, connections that are black holes, everybody twice: nothing is lost."""

import pytest

from tests.chaos.clocks import COMPILER
from tests.chaos.conftest import Arena
from tests.chaos.doors import HttpDoor
from tests.chaos.gameday import surroundings
from tests.chaos.rig import Plan
from tests.chaos.test_faults import demand


@pytest.mark.skipif(COMPILER is None, reason="needs cc: a clock is replaced in C")
def test_12_clocks_an_hour_off_change_nothing(arena: Arena) -> None:
    plan = Plan(api=2, ios=2, clocks=surroundings.CLOCKS)
    verdict, on = arena.run(surroundings.skew_clocks, jobs=3_000, rounds=12, plan=plan)
    demand(verdict, on)
    assert on.faults >= 6
    assert isinstance(on.rig.door, HttpDoor)
    assert not on.rig.door.server_errors, on.rig.door.server_errors


def test_18_a_connection_that_is_a_black_hole_is_replaced_within_a_minute(arena: Arena) -> None:
    verdict, on = arena.run(
        surroundings.lose_connections, jobs=2_000, rounds=5, plan=Plan(api=2), rest=90
    )
    assert not verdict.findings, f"\n{verdict}"
    assert max(on.noted) <= surroundings.DETECTED


def test_19_two_of_everybody_do_nothing_twice(arena: Arena) -> None:
    verdict, on = arena.run(surroundings.crowd, jobs=6_000, rounds=20, plan=Plan(ios=2))
    demand(verdict, on)
    assert on.faults >= 10
