"""Pictures that kill: their decoders, or whole workers. Nobody else comes to harm."""

from collections import Counter

import pytest

from app.domain.job import MAX_SOLO_CRASHES
from tests.chaos.conftest import Arena
from tests.chaos.poison import POISON, poison
from tests.chaos.rig import Plan


@pytest.mark.deadline(420)
def test_13_poison_is_quarantined_and_its_mates_finish(arena: Arena) -> None:
    plan = Plan(
        worker=("-m", "tests.chaos.poison_worker", "worker"),
        env={"IMPASTO_LIMITS__DECODE_SECONDS": "3"},
        extra=tuple(POISON.values()),
    )
    verdict, on = arena.run(poison, jobs=2_000, rounds=4, plan=plan)
    assert not verdict.findings, f"\n{verdict}"
    ends = Counter((line.mark, line.end) for line in on.ends)
    assert ends == {
        **{(mark, "crashed-decoder"): 1 for mark in POISON if mark.startswith("decoder")},
        **{(mark, "quarantined"): 1 for mark in POISON if mark.startswith("worker")},
    }
    for line in on.ends:
        if line.end == "quarantined":  # with its group, with other suspects, three times alone
            assert line.attempts == 2 + MAX_SOLO_CRASHES, f"{line.mark}: {line.attempts} attempts"
    assert on.mates_seconds <= 60, f"batch mates took {on.mates_seconds:.0f} s"
