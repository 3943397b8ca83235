"""Each safeguard, taken out, is missed: at least one fault turns red without it."""

from pathlib import Path

import pytest

from tests.chaos import faults
from tests.chaos.conftest import Arena
from tests.chaos.mutants import (
    NO_FENCE,
    NO_STATE_GUARD,
    TICKETS_BEFORE_COMMIT,
    TOLD_BEFORE_SENT,
    Edit,
    mutate,
)
from tests.chaos.rig import Plan
from tests.chaos.stage import Fault

CASES = {
    "no-fence": (NO_FENCE, faults.wake_zombies, 60, 2, 0, "I5"),
    "no-state-guard": (NO_STATE_GUARD, faults.kill_workers, 400, 4, 0, "I2"),
    "tickets-before-commit": (TICKETS_BEFORE_COMMIT, faults.commit_slowly, 5, 1, 1, "I2"),
    "told-before-sent": (TOLD_BEFORE_SENT, faults.stall_the_teller, 60, 2, 0, "I6 lost"),
}


@pytest.mark.parametrize(
    ("edits", "fault", "jobs", "rounds", "api", "expected"), CASES.values(), ids=CASES
)
def test_without_it_something_breaks(
    arena: Arena,
    tmp_path: Path,
    edits: tuple[Edit, ...],
    fault: Fault,
    jobs: int,
    rounds: int,
    api: int,
    expected: str,
) -> None:
    tree = mutate(tmp_path / "tree", *edits)
    plan = Plan(tree=tree, api=api, env=faults.ONE_TICKET)
    verdict, _ = arena.run(fault, jobs=jobs, rounds=rounds, plan=plan, scale=False, rest=20)
    assert expected in {finding.invariant for finding in verdict.findings}, f"\n{verdict}"
