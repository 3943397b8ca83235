"""Many together, or one alone; nobody waits for ever."""

from threading import Event, Thread

import pytest

from workers.gate import Gate

DEADLINE = 5


def test_groups_work_together() -> None:
    gate, inside = Gate(), Event()

    def second() -> None:
        with gate.together():
            inside.set()

    with gate.together():
        thread = Thread(target=second)
        thread.start()
        assert inside.wait(DEADLINE)
    thread.join(DEADLINE)


def test_a_suspect_waits_for_the_others_and_then_keeps_them_out() -> None:
    gate, waiting, alone, leave, joined = Gate(), Event(), Event(), Event(), Event()

    def suspect() -> None:
        waiting.set()
        with gate.alone():
            alone.set()
            assert leave.wait(DEADLINE)

    def latecomer() -> None:
        with gate.together():
            joined.set()

    threads = [Thread(target=suspect), Thread(target=latecomer)]
    with gate.together():
        threads[0].start()
        assert waiting.wait(DEADLINE)
        assert not alone.is_set()
    assert alone.wait(DEADLINE)
    threads[1].start()
    assert not joined.is_set()
    leave.set()
    assert joined.wait(DEADLINE)
    for thread in threads:
        thread.join(DEADLINE)


def test_the_gate_is_closed_while_somebody_is_alone() -> None:
    gate = Gate()
    with gate.together():
        assert not gate.closed
    with gate.alone():
        assert gate.closed
    assert not gate.closed


def test_the_gate_opens_again_after_an_error() -> None:
    gate = Gate()
    for door in (gate.alone, gate.together):
        with pytest.raises(LookupError), door():
            raise LookupError
    with gate.alone():
        pass
