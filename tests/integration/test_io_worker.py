"""What the io worker does: webhooks out, pictures in, repairs."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import func, select, text
from standardwebhooks import Webhook

from app.db import Sessions, erasures, intake, jobs, lost, replays
from app.db.intake import NewJob
from app.db.models import Delivery, DeliveryState, ErasureKind, Job
from app.domain.ids import new_id
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane
from app.domain.parameters import Parameters, render_key
from app.egress import Egress
from app.errors import NotFound
from app.fetch import Fetcher
from app.settings import LimitSettings, LocalStorageSettings, Settings
from app.signing import webhook_secret
from app.storage import asset_key, open_storage
from app.webhooks import Sender
from tests.licensed import new_style
from tests.loopback import Loopback, Received, Script, reply, serving
from tests.rows import Ground, new_campaign, new_ground, new_jobs
from tests.tickets import ListTickets
from workers.delivery import PostRoom, deliver
from workers.fetching import Porter, fetch
from workers.gate import Gate
from workers.leases import Leases
from workers.sweep import ENOUGH, sweep

SECRET = "for tests only"
DEADLINE = 10.0


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def jpeg(width: int = 64, height: int = 48) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def egress() -> Iterator[Egress]:
    with closing(Egress(allow_private=True)) as way_out:
        yield way_out


class Post:
    """A post room and a receiver that answers as told."""

    def __init__(
        self, sessions: Sessions, ground: Ground, receiver: Loopback, egress: Egress
    ) -> None:
        self.sessions, self.ground, self.receiver = sessions, ground, receiver
        sender = Sender(egress, timeout=5)
        self.room = PostRoom(sessions, sender, secret_key=SECRET, slots=1, hold=60)

    def end_a_job(self) -> UUID:
        """Something happens that the receiver wants to know."""
        hook = {"url": self.receiver.url, "events": ["job.canceled"]}
        with self.sessions.begin() as session:
            (job_id,) = new_jobs(session, self.ground, 1, webhook=hook)
            jobs.cancel(session, self.ground.tenant_id, job_id)
        return job_id

    def delivery(self) -> Delivery:
        with self.sessions() as session:
            return session.scalars(select(Delivery)).one()


@pytest.fixture
def post(sessions: Sessions, ground: Ground, egress: Egress) -> Iterator[Callable[[Script], Post]]:
    with ExitStack() as servers:

        def open_post(script: Script) -> Post:
            post = Post(sessions, ground, servers.enter_context(serving(script)), egress)
            servers.callback(post.room.close)
            return post

        yield open_post


def test_a_webhook_arrives_signed_for_its_tenant(post: Callable[[Script], Post]) -> None:
    room = post(lambda _: [reply(204)])
    job_id = room.end_a_job()
    assert deliver(room.room) == {"sent": 1, "delivered": 1}
    (seen,) = room.receiver.received
    secret = webhook_secret(SECRET, room.ground.tenant_id, 1)
    event = Webhook(secret).verify(seen.body, seen.headers)
    assert event["type"] == "job.canceled"
    assert event["data"]["job_id"] == str(job_id)
    assert room.delivery().state is DeliveryState.DELIVERED


def test_what_was_delivered_is_not_sent_again(post: Callable[[Script], Post]) -> None:
    room = post(lambda _: [reply(204)])
    room.end_a_job()
    deliver(room.room)
    assert deliver(room.room) == {"sent": 0, "delivered": 0}
    assert len(room.receiver.received) == 1


def test_a_sender_holds_no_more_than_it_is_sending(
    post: Callable[[Script], Post], sessions: Sessions
) -> None:
    held: list[int | None] = []

    def look(_: Received) -> list[bytes]:
        ours = (Delivery.state == DeliveryState.PENDING, Delivery.held_until > func.now())
        with sessions() as session:
            held.append(session.scalar(select(func.count()).where(*ours)))
        return [reply(204)]

    room = post(look)
    for _ in range(3):
        room.end_a_job()
    assert deliver(room.room) == {"sent": 3, "delivered": 3}
    assert held == [1, 1, 1]


def test_a_refused_webhook_is_due_again_later_under_the_same_id(
    post: Callable[[Script], Post], sessions: Sessions
) -> None:
    answers = [reply(500, b"no\0pe"), reply(200)]
    room = post(lambda _: [answers.pop(0)])
    room.end_a_job()
    assert deliver(room.room) == {"sent": 1, "delivered": 0}
    waiting = room.delivery()
    assert (waiting.state, waiting.attempts) == (DeliveryState.PENDING, 1)
    assert waiting.response_status == 500
    with sessions.begin() as session:
        session.execute(text("UPDATE deliveries SET due_at = now()"))
    deliver(room.room)
    first, second = (seen.headers["webhook-id"] for seen in room.receiver.received)
    assert first == second
    assert room.delivery().state is DeliveryState.DELIVERED


def test_a_receiver_that_is_gone_is_left_alone(post: Callable[[Script], Post]) -> None:
    room = post(lambda _: [reply(410)])
    room.end_a_job()
    deliver(room.room)
    assert room.delivery().state is DeliveryState.FAILED


def test_the_tenth_refusal_is_the_last(post: Callable[[Script], Post], sessions: Sessions) -> None:
    room = post(lambda _: [reply(500)])
    room.end_a_job()
    for _ in range(12):
        deliver(room.room)
        with sessions.begin() as session:
            session.execute(text("UPDATE deliveries SET due_at = now() WHERE state = 'pending'"))
    assert len(room.receiver.received) == 10
    assert room.delivery().state is DeliveryState.FAILED


def test_whoever_comes_while_others_send_leaves_and_is_not_forgotten(
    post: Callable[[Script], Post],
) -> None:
    said: list[dict[str, int]] = []

    def script(_: Received) -> list[bytes]:
        if not said:
            room.end_a_job()
            said.append(deliver(room.room))
        return [reply(204)]

    room = post(script)
    room.end_a_job()
    assert deliver(room.room) == {"sent": 2, "delivered": 2}
    assert said == [{"sent": 0, "delivered": 0}]


def test_a_worker_that_is_to_end_finishes_what_is_under_way_and_begins_no_more(
    post: Callable[[Script], Post],
) -> None:
    def script(_: Received) -> list[bytes]:
        room.room.closing.set()
        return [reply(204)]

    room = post(script)
    for _ in range(3):
        room.end_a_job()
    assert deliver(room.room) == {"sent": 1, "delivered": 1}


@pytest.fixture
def porter(sessions: Sessions, tmp_path: Path, egress: Egress) -> Iterator[Porter]:
    settings = Settings(storage=LocalStorageSettings(root=tmp_path))
    with Leases(sessions, seconds=60, every=60) as leases:
        yield Porter(
            worker="io",
            settings=settings,
            sessions=sessions,
            storage=open_storage(settings.storage),
            tickets=ListTickets(),
            fetch=Fetcher(egress, LimitSettings(fetch_seconds=2)).fetch,
            leases=leases,
            gate=Gate(),
        )


def queue_url(sessions: Sessions, ground: Ground, url: str, **wanted: Any) -> UUID:
    job = NewJob(
        id=new_id(),
        lane=Lane.FETCH,
        source=url,
        style_version_id=ground.style_version_id,
        parameters=Parameters(**wanted).model_dump(mode="json"),
    )
    with sessions.begin() as session:
        intake.add_jobs(
            session,
            [job],
            tenant_id=ground.tenant_id,
            campaign_id=None,
            webhook=None,
            rate_card="test",
        )
    return job.id


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def find(sessions: Sessions, job_id: UUID) -> Job:
    with sessions() as session:
        return session.get_one(Job, job_id)


def test_a_picture_behind_a_url_is_stored_and_queued(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    content = jpeg()
    with serving(lambda _: [reply(200, content)]) as server:
        job_id = queue_url(sessions, ground, f"{server.url}/a.jpg")
        assert fetch(porter) == {"fetched": 1}
    job = find(sessions, job_id)
    assert (job.status, job.lane, job.pixels) == (JobStatus.QUEUED, Lane.INTERACTIVE, 64 * 48)
    assert job.content_digest == sha256(content).hexdigest()
    assert porter.storage.get(asset_key(ground.tenant_id, job.content_digest)) == content
    assert isinstance(porter.tickets, ListTickets)
    assert porter.tickets.lanes == [Lane.FETCH, Lane.INTERACTIVE]


def queue_variants(
    sessions: Sessions, ground: Ground, url: str, strengths: Sequence[float]
) -> list[UUID]:
    """Outputs of one item of a campaign."""
    planned = [
        NewJob(
            id=new_id(),
            lane=Lane.FETCH,
            source=url,
            style_version_id=ground.style_version_id,
            parameters=Parameters(strength=strength).model_dump(mode="json"),
            custom_id=str(strength),
        )
        for strength in strengths
    ]
    about: dict[str, Any] = {"webhook": None, "rate_card": "test", "tenant_id": ground.tenant_id}
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 1)
        intake.add_jobs(session, planned, campaign_id=campaign_id, **about)
    return [job.id for job in planned]


def test_the_outputs_of_one_item_share_one_fetch(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    with serving(lambda _: [reply(200, jpeg())]) as server:
        ids = queue_variants(sessions, ground, f"{server.url}/a.jpg", [0.1, 0.5, 0.9])
        for _ in ids:
            assert fetch(porter) == {"fetched": 1}
        assert len(server.received) == 1
    made = [find(sessions, job_id) for job_id in ids]
    assert {job.lane for job in made} == {Lane.CAMPAIGN}
    assert len({job.content_digest for job in made}) == 1
    assert len({job.render_key for job in made}) == 3


def test_an_output_waits_while_an_older_one_of_its_item_is_fetched(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    waited: list[dict[str, int]] = []

    def meanwhile(_: Received) -> list[bytes]:
        waited.append(fetch(porter))
        return [reply(200, jpeg())]

    with serving(meanwhile) as server:
        first, second = queue_variants(sessions, ground, f"{server.url}/a.jpg", [0.1, 0.5])
        assert fetch(porter) == {"fetched": 1}
        assert waited == [{"waits": 1}]
        later = find(sessions, second)
        assert (later.status, later.lane) == (JobStatus.QUEUED, Lane.FETCH)
        assert fetch(porter) == {}  # not yet
        with sessions.begin() as session:
            session.execute(text("UPDATE jobs SET available_at = now()"))
        assert fetch(porter) == {"fetched": 1}
        assert len(server.received) == 1
    assert find(sessions, first).content_digest == find(sessions, second).content_digest


def test_an_output_is_fetched_by_itself_where_the_older_one_failed(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    answers = [reply(404), reply(200, jpeg())]
    with serving(lambda _: [answers.pop(0)]) as server:
        first, second = queue_variants(sessions, ground, f"{server.url}/a.jpg", [0.1, 0.5])
        assert [fetch(porter), fetch(porter)] == [{"broken": 1}, {"fetched": 1}]
    assert find(sessions, first).status is JobStatus.FAILED
    assert find(sessions, second).lane is Lane.CAMPAIGN


def test_a_mix_has_the_render_key_it_would_have_had_at_the_door(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        new_style(session, "x")
    wanted = Parameters(mix={"plain@1": 0.7, "x@1": 0.3}, variation=1)  # JSONB: shorter keys first
    with serving(lambda _: [reply(200, jpeg())]) as server:
        job_id = queue_url(sessions, ground, f"{server.url}/a.jpg", **wanted.model_dump())
        fetch(porter)
    digest = sha256(jpeg()).hexdigest()
    key = render_key(content=digest, style="plain@1", stylizer="a" * 64, parameters=wanted)
    assert find(sessions, job_id).render_key == key


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(404), "source-unreachable"),
        (reply(302, location="http://127.0.0.1/"), "source-forbidden"),
        (reply(200, b"<html>"), "invalid-image"),
        (reply(200, b""), "invalid-image"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "body-too-large"),
    ],
)
def test_a_url_without_a_picture_fails_its_job_with_a_code(
    porter: Porter, sessions: Sessions, ground: Ground, answer: bytes, code: str
) -> None:
    with serving(lambda _: [answer]) as server:
        job_id = queue_url(sessions, ground, f"{server.url}/a.jpg")
        assert fetch(porter) == {"broken": 1}
    job = find(sessions, job_id)
    assert (job.status, job.error_code) == (JobStatus.FAILED, code)


def test_a_picture_whose_job_was_canceled_meanwhile_goes_at_once(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    def canceling(_: Received) -> Iterable[bytes]:
        with sessions.begin() as session:
            jobs.cancel(session, ground.tenant_id, job_id)
        yield reply(200, jpeg())

    with serving(canceling) as server:
        job_id = queue_url(sessions, ground, f"{server.url}/a.jpg")
        fetch(porter)
    with pytest.raises(NotFound):
        porter.storage.get(asset_key(ground.tenant_id, sha256(jpeg()).hexdigest()))


def test_a_sweep_erases_what_is_to_be(porter: Porter, sessions: Sessions, ground: Ground) -> None:
    with serving(lambda _: [reply(200, jpeg())]) as server:
        queue_url(sessions, ground, f"{server.url}/a.jpg")
        fetch(porter)
    tenant = str(ground.tenant_id)
    with sessions.begin() as session:
        erasures.request(session, ground.tenant_id, ErasureKind.ALL, tenant, by="operator")
    tickets = ListTickets()
    found = sweep(sessions, tickets, tickets.waiting, porter.storage)
    assert (found["erased"], found["retained"]) == (3, 0)  # canceled, blanked, closed
    with pytest.raises(NotFound):
        porter.storage.get(asset_key(ground.tenant_id, sha256(jpeg()).hexdigest()))


def die_fetching(sessions: Sessions, amount: int) -> None:
    """As a worker that took so many tickets and was killed at once; and time passes."""
    with sessions.begin() as session:
        for _ in range(amount):
            assert jobs.claim(session, Lane.FETCH, worker="w", limit=1, pixels=1, lease=-1)
    with sessions.begin() as session:
        assert lost.rescue(session) == amount
    with sessions.begin() as session:
        session.execute(text("UPDATE jobs SET available_at = now() WHERE status = 'queued'"))


def test_a_url_that_kills_its_worker_is_quarantined_and_those_beside_it_are_not(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    with serving(lambda _: [reply(200, jpeg())]) as server:
        poison, *mates = [queue_url(sessions, ground, f"{server.url}/{n}.jpg") for n in range(3)]
        die_fetching(sessions, 3)
        for _ in range(MAX_SOLO_CRASHES):
            assert find(sessions, poison).status is JobStatus.QUEUED
            die_fetching(sessions, 1)
        job = find(sessions, poison)
        assert (job.status, job.error_code) == (JobStatus.FAILED, "quarantined")
        assert [fetch(porter), fetch(porter), fetch(porter)] == [{"fetched": 1}] * 2 + [{}]
    for mate in mates:
        job = find(sessions, mate)
        assert (job.lane, job.crashes) == (Lane.INTERACTIVE, 0)


def test_a_suspect_is_fetched_with_no_other_beside_it(
    porter: Porter, sessions: Sessions, ground: Ground
) -> None:
    asked, go_on = Queue[str](), Event()

    def script(received: Received) -> Iterable[bytes]:
        asked.put(received.line)
        assert go_on.wait(DEADLINE)
        return [reply(200, jpeg())]

    with serving(script) as server, ThreadPoolExecutor() as pool:
        fresh = queue_url(sessions, ground, f"{server.url}/fresh.jpg")
        first = pool.submit(fetch, porter)
        assert "fresh" in asked.get(timeout=DEADLINE)
        suspect = queue_url(sessions, ground, f"{server.url}/suspect.jpg")
        die_fetching(sessions, 1)
        second = pool.submit(fetch, porter)
        until(lambda: porter.gate.closed)
        queue_url(sessions, ground, f"{server.url}/later.jpg")
        assert fetch(porter) == {}, "it would run beside the suspect"
        assert find(sessions, suspect).status is JobStatus.QUEUED
        assert asked.empty()
        go_on.set()
        assert [first.result(DEADLINE), second.result(DEADLINE)] == [{"fetched": 1}] * 2
        assert find(sessions, fresh).content_digest == find(sessions, suspect).content_digest
        assert isinstance(porter.tickets, ListTickets)
        assert porter.tickets.lanes[-1] is Lane.FETCH, "for those who left"
        assert fetch(porter) == {"fetched": 1}


def test_the_sweep_wakes_workers_for_work_without_a_ticket(
    sessions: Sessions, ground: Ground
) -> None:
    tickets = ListTickets()
    with sessions.begin() as session:
        new_jobs(session, ground, 3)
    sweep(sessions, tickets, tickets.waiting)
    assert tickets.lanes == [Lane.CAMPAIGN]


def test_tickets_do_not_pile_up_while_nobody_takes_them(sessions: Sessions, ground: Ground) -> None:
    tickets = ListTickets()
    with sessions.begin() as session:
        new_jobs(session, ground, 3)
    for _ in range(2 * ENOUGH):
        sweep(sessions, tickets, tickets.waiting)
    assert len(tickets.lanes) == ENOUGH


def test_a_busy_lane_does_not_keep_the_sweep_from_waking_another(
    sessions: Sessions, ground: Ground
) -> None:
    tickets = ListTickets()
    tickets.work(Lane.CAMPAIGN, 3)
    with sessions.begin() as session:
        new_jobs(session, ground, 1, lane=Lane.SOLO)
    sweep(sessions, tickets, tickets.waiting)
    assert tickets.lanes[3:] == [Lane.SOLO]


def test_the_sweep_gives_back_what_a_dead_worker_held(sessions: Sessions, ground: Ground) -> None:
    tickets = ListTickets()
    with sessions.begin() as session:
        new_jobs(session, ground, 2)
        jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=9, pixels=10**9, lease=-1)
    assert sweep(sessions, tickets, tickets.waiting)["rescued"] == 2
    assert tickets.lanes == [Lane.SOLO]


def test_an_idle_sweep_sends_nothing(sessions: Sessions) -> None:
    tickets = ListTickets()
    nothing = {"rescued": 0, "expired": 0, "expiring": 0, "lanes": 0, "deliveries": 0}
    assert sweep(sessions, tickets, tickets.waiting) == nothing
    assert (tickets.lanes, tickets.deliveries) == ([], 0)


def test_an_event_can_be_replayed_under_its_old_id(
    post: Callable[[Script], Post], sessions: Sessions
) -> None:
    room = post(lambda _: [reply(204)])
    room.end_a_job()
    deliver(room.room)
    with sessions.begin() as session:
        assert replays.replay(session, room.delivery().event_id) == 1
    deliver(room.room)
    first, second = (seen.headers["webhook-id"] for seen in room.receiver.received)
    assert first == second
    assert room.delivery().state is DeliveryState.DELIVERED


def test_replaying_what_never_happened_is_said(sessions: Sessions) -> None:
    with pytest.raises(NotFound), sessions.begin() as session:
        replays.replay(session, new_id())
