"""A receiver that is slow, dead or buried in deliveries delays nobody else."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.db import Sessions, deliveries, endpoints, jobs
from app.db.deliveries import HOPS, NOWHERE, OPENS, Room
from app.db.models import Circuit, Delivery, DeliveryState
from app.domain.events import EventType
from app.egress import Egress
from app.webhooks import Sender
from tests.loopback import Received, reply, serving
from tests.rows import Ground, new_ground, new_jobs
from workers.delivery import PostRoom, deliver

SECRET = "for tests only"
DEADLINE = 30.0


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def listen(sessions: Sessions, ground: Ground, url: str, event: EventType) -> UUID:
    with sessions.begin() as session:
        return endpoints.create(session, ground.tenant_id, url=url, events=[event.value])


def happen(sessions: Sessions, ground: Ground, event: EventType, amount: int) -> None:
    """So many jobs fail, or are canceled."""
    with sessions.begin() as session:
        ids = new_jobs(session, ground, amount)
        if event is EventType.JOB_FAILED:
            jobs.refuse(session, ids, code="invalid-image", detail="no")
            return
        for job_id in ids:
            jobs.cancel(session, ground.tenant_id, job_id)


@contextmanager
def sending(sessions: Sessions, slots: int, timeout: float = 20.0) -> Iterator[PostRoom]:
    with closing(Egress(allow_private=True)) as egress:
        sender = Sender(egress, timeout=timeout)
        room = PostRoom(sessions, sender, secret_key=SECRET, slots=slots, hold=60)
        yield room
        room.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_receiver_that_stalls_over_a_thousand_deliveries_delays_nobody(
    sessions: Sessions, ground: Ground
) -> None:
    go_on = Event()

    def stall(_: Received) -> list[bytes]:
        assert go_on.wait(DEADLINE)
        return [reply(204)]

    with (
        serving(stall) as slow,
        serving(lambda _: [reply(204)]) as quick,
        sending(sessions, slots=8) as room,
        ThreadPoolExecutor() as pool,
    ):
        listen(sessions, ground, slow.url, EventType.JOB_FAILED)
        listen(sessions, ground, quick.url, EventType.JOB_CANCELED)
        happen(sessions, ground, EventType.JOB_FAILED, 1_000)
        happen(sessions, ground, EventType.JOB_CANCELED, 30)
        running = pool.submit(deliver, room)
        until(lambda: len(quick.received) == 30)
        assert len(slow.received) == room.turns.each == 2
        # What happens while somebody waits for the slow one leaves at once, too.
        happen(sessions, ground, EventType.JOB_CANCELED, 5)
        assert deliver(room) == {"sent": 0, "delivered": 0}
        until(lambda: len(quick.received) == 35)
        assert len(slow.received) == 2
        with sessions.begin() as session:
            session.execute(text("DELETE FROM deliveries WHERE held_until IS NULL"))
        go_on.set()
        assert running.result(DEADLINE)["sent"] == 37


def test_however_many_receivers_stall_one_that_answers_is_served(
    sessions: Sessions, ground: Ground
) -> None:
    go_on = Event()

    def script(received: Received) -> list[bytes]:
        assert "slow" not in received.line or go_on.wait(DEADLINE)
        return [reply(204)]

    with (
        serving(script) as server,
        sending(sessions, slots=8) as room,
        ThreadPoolExecutor() as pool,
    ):
        listen(sessions, ground, f"{server.url}/quick", EventType.JOB_CANCELED)
        happen(sessions, ground, EventType.JOB_CANCELED, 1)
        deliver(room)
        for number in range(9):
            listen(sessions, ground, f"{server.url}/slow/{number}", EventType.JOB_FAILED)
        happen(sessions, ground, EventType.JOB_FAILED, 20)
        running = pool.submit(deliver, room)
        until(lambda: sum("slow" in one.line for one in server.received) == 4)
        happen(sessions, ground, EventType.JOB_CANCELED, 20)
        deliver(room)
        until(lambda: sum("quick" in one.line for one in server.received) == 21)
        assert sum("slow" in one.line for one in server.received) == 4
        go_on.set()
        assert running.result(DEADLINE)["delivered"] == 9 * 20 + 20


def circuit(sessions: Sessions) -> Circuit:
    with sessions() as session:
        return session.scalars(select(Circuit)).one()


def test_ten_failures_in_a_row_open_the_circuit_and_one_delivery_probes(
    sessions: Sessions, ground: Ground
) -> None:
    answers = [reply(500)] * (OPENS + 1)

    def script(_: Received) -> list[bytes]:
        return [answers.pop() if answers else reply(204)]

    with serving(script) as server, sending(sessions, slots=1) as room:
        listen(sessions, ground, server.url, EventType.JOB_FAILED)
        happen(sessions, ground, EventType.JOB_FAILED, 40)
        assert deliver(room) == {"sent": OPENS, "delivered": 0}
        assert deliver(room) == {"sent": 0, "delivered": 0}
        for delivered in (0, 40 - OPENS - 1):
            with sessions.begin() as session:  # a minute passes
                session.execute(text("UPDATE circuits SET open_until = now()"))
            before = len(server.received)
            assert deliver(room)["delivered"] == delivered
            assert len(server.received) - before == (delivered or 1)
        assert (circuit(sessions).failures, circuit(sessions).open_until) == (0, None)


def test_a_half_open_circuit_lets_one_through_and_not_as_many_as_there_are_slots(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        receiver = endpoints.create(session, ground.tenant_id, url="http://e/", events=None)
        failing = Circuit(receiver_id=receiver, failures=OPENS)
        session.add(failing)
    happen(sessions, ground, EventType.JOB_FAILED, 5)
    room = Room(most=8, strangers=8, each=4, trusted={}, busy={})
    with sessions.begin() as session:
        assert len(deliveries.claim(session, room, hold=60).rows) == 1
    busy = Room(most=8, strangers=8, each=4, trusted={}, busy={receiver: 1})
    with sessions.begin() as session:
        assert deliveries.claim(session, busy, hold=60).rows == []


def test_work_of_one_host_is_one_receiver_whatever_the_path(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        for host in ("a.test", "b.test"):
            for number in range(6):
                hook = {"url": f"http://{host}/{number}", "events": ["job.failed"]}
                ids = new_jobs(session, ground, 1, webhook=hook)
                jobs.refuse(session, ids, code="invalid-image", detail="no")
    room = Room(most=32, strangers=32, each=4, trusted={}, busy={})
    with sessions.begin() as session:
        rows = deliveries.claim(session, room, hold=60).rows
    assert Counter(row.url[:13] for row in rows) == {"http://a.test": 4, "http://b.test": 4}


def test_claims_go_round_all_receivers_however_many_and_however_buried_one_is(
    sessions: Sessions, ground: Ground
) -> None:
    receivers = HOPS + 50
    with sessions.begin() as session:
        for number in range(receivers):
            hook = {"url": f"http://{number}.test/", "events": ["job.failed"]}
            amount = 500 if number == 7 else 1
            ids = new_jobs(session, ground, amount, webhook=hook)
            jobs.refuse(session, ids, code="invalid-image", detail="no")
    seen: Counter[str] = Counter()
    after, claims = NOWHERE, 0
    while len(seen) < receivers:
        room = Room(most=32, strangers=32, each=4, trusted={}, busy={}, after=after)
        with sessions.begin() as session:
            claim = deliveries.claim(session, room, hold=60)
        seen.update(row.url for row in claim.rows)
        after, claims = claim.after, claims + 1
        assert claims < 20
    assert seen["http://7.test/"] <= 4 * 2


def test_a_claim_that_begins_in_the_middle_goes_round(sessions: Sessions, ground: Ground) -> None:
    for name in ("a", "b", "c"):
        listen(sessions, ground, f"http://{name}/", EventType.JOB_FAILED)
    happen(sessions, ground, EventType.JOB_FAILED, 3)
    with sessions() as session:
        middle = session.scalars(select(Delivery.receiver_id).order_by(Delivery.receiver_id)).all()[
            4
        ]
    room = Room(most=32, strangers=32, each=2, trusted={}, busy={}, after=middle)
    with sessions.begin() as session:
        claim = deliveries.claim(session, room, hold=60)
    assert sorted(Counter(row.url for row in claim.rows).values()) == [2, 2, 2]
    assert claim.after == NOWHERE


def test_those_that_answer_and_those_nobody_knows_share_a_claim(
    sessions: Sessions, ground: Ground
) -> None:
    known = listen(sessions, ground, "http://known/", EventType.JOB_FAILED)
    listen(sessions, ground, "http://new/", EventType.JOB_FAILED)
    happen(sessions, ground, EventType.JOB_FAILED, 50)
    room: dict[str, Any] = {"each": 8, "busy": {}, "trusted": {known: 20}}
    with sessions.begin() as session:
        rows = deliveries.claim(session, Room(most=16, strangers=6, **room), hold=60).rows
    assert Counter(row.url for row in rows) == {"http://known/": 10, "http://new/": 6}


def test_what_a_dead_sender_held_is_due_again_when_its_time_is_over(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground, "http://e/", EventType.JOB_FAILED)
    happen(sessions, ground, EventType.JOB_FAILED, 1)
    room = Room(most=8, strangers=8, each=4, trusted={}, busy={})
    for hold, amount in ((60, 1), (60, 0)):
        with sessions.begin() as session:
            assert len(deliveries.claim(session, room, hold=hold).rows) == amount
            assert not deliveries.any_due(session)
    with sessions.begin() as session:
        session.execute(text("UPDATE deliveries SET held_until = now()"))
    with sessions.begin() as session:
        assert deliveries.any_due(session)
        [row] = deliveries.claim(session, room, hold=60).rows
        assert row.attempts == 2


def test_an_answer_for_what_was_given_up_meanwhile_changes_nothing_but_the_log(
    sessions: Sessions, ground: Ground
) -> None:
    def script(_: Received) -> list[bytes]:
        with sessions.begin() as session:
            its = endpoints.get(session, ground.tenant_id, endpoint_id)
            endpoints.change(session, its, enabled=False)
        return [reply(204)]

    with serving(script) as server, sending(sessions, slots=1) as room:
        endpoint_id = listen(sessions, ground, server.url, EventType.JOB_FAILED)
        happen(sessions, ground, EventType.JOB_FAILED, 1)
        deliver(room)
    with sessions() as session:
        assert session.scalars(select(Delivery.state)).one() is DeliveryState.FAILED
        assert session.scalar(text("SELECT response_status FROM delivery_attempts")) == 204
