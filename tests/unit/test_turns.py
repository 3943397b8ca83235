"""Whose webhooks are sent now: a slow receiver may not take the slots of the others."""

from uuid import UUID

from workers.turns import QUICK, TRUSTED, Turns


def receiver(number: int) -> UUID:
    return UUID(int=number + 1)


def trusting(turns: Turns, *receivers: UUID) -> Turns:
    for one in receivers:
        turns.begin(one)
        turns.end(one, delivered=True, seconds=0.01)
    return turns


def test_strangers_get_half_of_the_slots_and_one_of_them_a_quarter() -> None:
    room = Turns(64).room()
    assert (room.most, room.strangers, room.each) == (64, 32, 16)
    assert (room.trusted, room.busy) == ({}, {})


def test_however_many_receivers_stall_those_that_answer_keep_half() -> None:
    turns = trusting(Turns(8), receiver(0))
    for number in range(1, 5):
        turns.begin(receiver(number))
    room = turns.room()
    assert (room.strangers, room.trusted) == (0, {receiver(0): 2})
    assert room.most == 4


def test_what_a_receiver_is_sent_counts_against_what_it_may_get() -> None:
    turns = trusting(Turns(16), receiver(0))
    for _ in range(3):
        turns.begin(receiver(0))
    turns.begin(receiver(1))
    room = turns.room()
    assert room.trusted == {receiver(0): 1}
    assert room.busy == {receiver(1): 1}
    assert (room.most, room.strangers) == (12, 7)


def test_one_slow_or_failed_answer_makes_a_stranger() -> None:
    for delivered, seconds in ((True, QUICK + 0.1), (False, 0.01)):
        turns = trusting(Turns(8), receiver(0), receiver(1))
        turns.begin(receiver(0))
        turns.end(receiver(0), delivered=delivered, seconds=seconds)
        assert list(turns.room().trusted) == [receiver(1)]


def test_who_was_served_last_comes_last() -> None:
    turns = trusting(Turns(8), receiver(0), receiver(1), receiver(2))
    turns.begin(receiver(0))
    assert list(turns.room().trusted) == [receiver(1), receiver(2), receiver(0)]


def test_the_oldest_friend_is_forgotten() -> None:
    turns = trusting(Turns(8), *map(receiver, range(TRUSTED + 1)))
    trusted = turns.room().trusted
    assert len(trusted) == TRUSTED
    assert receiver(0) not in trusted


def test_one_slot_is_enough_for_everybody_in_turn() -> None:
    turns = trusting(Turns(1), receiver(0))
    room = turns.room()
    assert (room.most, room.strangers, room.each, room.trusted) == (1, 1, 1, {receiver(0): 1})
    turns.begin(receiver(1))
    assert turns.room().most == 0
