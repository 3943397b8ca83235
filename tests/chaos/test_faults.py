"""Faults on the whole system: nothing lost, nothing doubled, and back to work within 15 s."""

import os

from tests.chaos import faults
from tests.chaos.checker import Verdict
from tests.chaos.conftest import Arena
from tests.chaos.doors import HttpDoor
from tests.chaos.rig import Plan
from tests.chaos.stage import RECOVERY, Stage

KILLS = int(os.environ.get("IMPASTO_CHAOS_KILLS", 100))


def demand(verdict: Verdict, on: Stage) -> None:
    """What every fault must leave behind."""
    assert not verdict.findings, f"\n{verdict}"
    back = max(on.noted, default=0.0)
    assert back <= RECOVERY, f"back to work only after {back:.1f} s"


def test_1_a_hundred_killed_workers_lose_nothing(arena: Arena) -> None:
    verdict, on = arena.run(faults.kill_workers, jobs=10_000, rounds=KILLS)
    demand(verdict, on)
    assert on.waits.hit >= on.faults >= 0.8 * KILLS, "too few hits to prove anything"
    assert on.waits.max <= RECOVERY, f"claimed again only after {on.waits.max:.1f} s"


def test_1_a_killed_workers_jobs_end_soon(arena: Arena) -> None:
    verdict, on = arena.run(faults.kill_one_worker, jobs=3_000, rounds=6, scale=False)
    demand(verdict, on)
    assert on.waits.hit >= on.faults >= 4
    assert on.waits.max <= RECOVERY, f"claimed again only after {on.waits.max:.1f} s"


def test_1_what_a_killed_worker_drew_for_many_is_drawn_again(arena: Arena) -> None:
    fault, plan = faults.kill_one_worker_of_copies, Plan(cache=True)
    demand(*arena.run(fault, jobs=3_000, rounds=6, scale=False, plan=plan))


def test_2_a_killed_redis_loses_nothing(arena: Arena) -> None:
    demand(*arena.run(faults.kill_redis, jobs=10_000, rounds=10))


def test_3_a_power_cut_of_redis_loses_nothing(arena: Arena) -> None:
    demand(*arena.run(faults.cut_power_of_redis, jobs=5_000, rounds=5))


def test_4_an_emptied_redis_loses_nothing(arena: Arena) -> None:
    demand(*arena.run(faults.lose_redis, jobs=6_000, rounds=6))


def test_6_a_stopped_postgres_loses_nothing(arena: Arena) -> None:
    demand(*arena.run(faults.stop_postgres, jobs=10_000, rounds=20))


def test_7_a_lost_reply_to_a_commit_doubles_nothing(arena: Arena) -> None:
    verdict, on = arena.run(faults.lose_replies, jobs=5_000, rounds=50)
    demand(verdict, on)
    assert on.faults >= 25


def test_10_copied_tickets_double_nothing(arena: Arena) -> None:
    verdict, on = arena.run(faults.copy_tickets, jobs=10_000, rounds=10)
    demand(verdict, on)
    assert on.faults >= 100


def test_11_a_zombies_answer_is_refused(arena: Arena) -> None:
    plan = Plan(env=faults.ONE_TICKET)
    demand(*arena.run(faults.wake_zombies, jobs=300, rounds=2, plan=plan))


def test_a_worker_frozen_in_its_claim_holds_up_nobody(arena: Arena) -> None:
    demand(*arena.run(faults.freeze_claims, jobs=300, rounds=3))


def test_17_a_rolling_restart_is_not_noticed(arena: Arena) -> None:
    verdict, on = arena.run(faults.roll, jobs=6_000, rounds=20, plan=Plan(api=2))
    demand(verdict, on)
    assert isinstance(on.rig.door, HttpDoor)
    assert not on.rig.door.server_errors, on.rig.door.server_errors
    assert max(on.drained) <= faults.GRACE
    assert on.waits.hit == 0, "a job was taken away from a worker that was only asked to end"


def test_a_killed_teller_tells_again(arena: Arena) -> None:
    demand(*arena.run(faults.stall_the_teller, jobs=60, rounds=2, scale=False))


def test_a_slow_commit_keeps_nobody_waiting(arena: Arena) -> None:
    demand(*arena.run(faults.commit_slowly, jobs=20, rounds=1, plan=Plan(api=1), scale=False))
