"""The supervisor's policy: who is started, asked and killed, and when. No processes here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stack.roster import Ask, Kill, Roster, Start, Wait


def roster(*generations: dict[str, float]) -> Roster:
    """Members by name and grace; everybody has been started at 0."""
    made = Roster()
    for generation in generations:
        made.join(generation, now=0.0)
    made.step(0.0, [])
    return made


def test_new_members_are_started_in_order_and_once() -> None:
    made = Roster()
    made.join({"database": 1.0}, now=0.0)
    made.join({"api": 1.0}, now=0.0)
    assert made.step(0.0, []) == [Start("database"), Start("api")]
    assert made.step(0.0, ["database", "api"]) == []


def test_a_crashed_member_comes_back_after_its_delay() -> None:
    made = roster({"api": 1.0})
    assert made.step(5.0, []) == [Wait("api", 1.0)]
    assert made.wake() == 6.0
    assert made.step(5.9, []) == []
    assert made.step(6.0, []) == [Start("api")]


def test_delays_double_up_to_half_a_minute() -> None:
    made = roster({"api": 1.0})
    now, delays = 0.0, []
    for _ in range(7):
        [wait] = made.step(now, [])
        assert isinstance(wait, Wait)
        delays.append(wait.seconds)
        now += wait.seconds
        assert made.step(now, []) == [Start("api")]
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_health_forgives_former_crashes() -> None:
    made = roster({"api": 1.0})
    made.step(0.0, [])
    made.step(1.0, [])
    assert made.step(2.0, []) == [Wait("api", 2.0)]
    made.step(4.0, [])
    assert made.step(64.0, []) == [Wait("api", 1.0)]


@given(st.lists(st.floats(0.5, 1.0), min_size=1, max_size=12))
def test_jitter_shortens_a_wait_and_leaves_the_doubling(factors: list[float]) -> None:
    left = iter(factors)
    made = Roster(jitter=lambda: next(left))
    made.join({"worker": 1.0}, now=0.0)
    made.step(0.0, [])
    now = 0.0
    for crash, factor in enumerate(factors):
        [wait] = made.step(now, [])
        assert wait == Wait("worker", min(2.0**crash, 30.0) * factor)
        assert made.wake() == now + wait.seconds
        now += wait.seconds
        assert made.step(now, []) == [Start("worker")]


def test_one_crash_leaves_the_others_alone() -> None:
    made = roster({"api": 1.0, "worker": 1.0})
    assert made.step(1.0, ["api"]) == [Wait("worker", 1.0)]


def test_generations_are_ended_in_reverse_and_together() -> None:
    made = roster({"database": 5.0}, {"api": 5.0, "worker": 5.0})
    made.stop()
    assert made.step(1.0, ["database", "api", "worker"]) == [Ask("api"), Ask("worker")]
    assert made.step(2.0, ["database", "worker"]) == []
    assert made.step(3.0, ["database"]) == [Ask("database")]
    assert made.step(3.1, []) == []


def test_who_outlasts_its_grace_is_killed_once() -> None:
    made = roster({"worker": 5.0})
    made.stop()
    made.step(1.0, ["worker"])
    assert made.wake() == 6.0
    assert made.step(5.9, ["worker"]) == []
    assert made.step(6.0, ["worker"]) == [Kill("worker")]
    assert made.step(7.0, ["worker"]) == []
    assert made.wake() is None


def test_nobody_is_restarted_while_stopping() -> None:
    made = roster({"api": 1.0})
    made.stop()
    assert made.step(1.0, []) == []
    assert made.wake() is None


@pytest.mark.parametrize("asked_before", [True, False])
def test_stopping_twice_kills_everybody_at_once(asked_before: bool) -> None:
    made = roster({"database": 5.0}, {"api": 5.0})
    made.stop()
    if asked_before:
        made.step(1.0, ["database", "api"])
    made.stop()
    assert made.step(1.1, ["database", "api"]) == [Kill("api"), Kill("database")]
