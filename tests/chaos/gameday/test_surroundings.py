"""Clocks an hour off: nothing is lost, nothing doubled, and receivers believe every webhook."""

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
