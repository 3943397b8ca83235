"""Who may begin a large picture."""

from workers.places import ASIDE, Places


def test_there_are_as_many_places_as_were_said() -> None:
    places = Places(2)
    assert [places.take() for _ in range(3)] == [True, True, False]
    places.leave()
    assert places.take()


def test_nobody_begins_while_somebody_waits_to_be_alone() -> None:
    places = Places(2)
    assert places.take()
    assert not places.clear()
    assert not places.take()
    places.leave()
    assert not places.take()
    assert places.clear()
    assert not places.take()
    places.reopen()
    assert places.take()


def test_who_does_not_ask_again_is_not_waited_for() -> None:
    now = 100.0
    places = Places(2, clock=lambda: now)
    assert places.take()
    assert not places.clear()
    now += ASIDE / 2
    assert not places.take()
    now += ASIDE / 2
    assert places.take()
