"""The negative control: plain Celery under the same faults. A checker that sees nothing is none."""

import pytest

from tests.chaos import faults
from tests.chaos.conftest import Arena
from tests.chaos.rig import Plan
from tests.chaos.stage import Fault

PLAIN = Plan(worker=("-m", "tests.chaos.plain"), plain=True)

CASES = {
    "1-killed-workers": (faults.kill_only_workers, 1_000, 20),
    "3-power-cut": (faults.cut_power_of_redis, 900, 3),
    "4-emptied-redis": (faults.lose_redis, 600, 2),
    "10-copied-messages": (faults.copy_tickets, 200, 2),
}


def test_plain_celery_without_faults_is_in_order(arena: Arena) -> None:
    verdict, _ = arena.run(faults.nothing, jobs=500, rounds=5, plan=PLAIN, scale=False)
    assert not verdict.findings, f"\n{verdict}"


@pytest.mark.parametrize(("fault", "jobs", "rounds"), CASES.values(), ids=CASES)
def test_plain_celery_loses_or_doubles(arena: Arena, fault: Fault, jobs: int, rounds: int) -> None:
    verdict, _ = arena.run(fault, jobs=jobs, rounds=rounds, plan=PLAIN, scale=False, rest=30)
    assert verdict.lost + verdict.doubled > 0, "the checker saw nothing wrong with plain Celery"
