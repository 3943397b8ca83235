"""Webhooks over real sockets, to receivers that verify them, stall, lie or are not there."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from app.domain.events import Event, EventType
from app.domain.ids import new_id
from app.egress import Egress
from app.signing import webhook_secret
from app.webhooks import Answer, Keys, Sender
from tests.loopback import Received, Resolver, Script, Wire, drip, reply, serving

SECRET = webhook_secret("a long random text", UUID(int=7), 1)
KEYS = Keys((SECRET,))
EVENT = Event(
    id=new_id(),
    type=EventType.JOB_SUCCEEDED,
    timestamp=datetime(2026, 11, 22, tzinfo=UTC),
    data={"job_id": str(UUID(int=1)), "metadata": {"name": "Größe 💐"}},
)


@contextmanager
def sending(allow_private: bool = True, **seams: object) -> Iterator[Sender]:
    with closing(Egress(allow_private=allow_private, **seams)) as egress:  # type: ignore[arg-type]
        yield Sender(egress, timeout=0.5)


def send(url: str) -> Answer:
    with sending() as sender:
        return sender.send(url, EVENT.id, EVENT.body(), KEYS)


def always(*pieces: bytes) -> Script:
    return lambda _: pieces


def test_a_receiver_gets_a_webhook_that_its_own_library_verifies() -> None:
    with serving(always(reply(204))) as receiver:
        answer = send(f"{receiver.url}/hooks?tenant=7")
        assert answer == Answer(status=204, excerpt="")
        assert answer.delivered
    [received] = receiver.received
    assert received.line == "POST /hooks?tenant=7 HTTP/1.1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == str(EVENT.id)
    verified = Webhook(SECRET).verify(received.body, received.headers)
    assert verified["data"]["metadata"] == {"name": "Größe 💐"}


def test_many_webhooks_share_one_connection() -> None:
    with serving(always(reply(200, b"thanks"))) as receiver, sending() as sender:
        for _ in range(5):
            assert sender.send(receiver.url, EVENT.id, EVENT.body(), KEYS).delivered
        assert (receiver.connections, len(receiver.received)) == (1, 5)


def test_a_connection_the_receiver_closed_is_replaced_and_not_tripped_over() -> None:
    with serving(always(reply(200)), keep=False) as receiver, sending() as sender:
        for attempt in range(1, 4):
            assert sender.send(receiver.url, EVENT.id, EVENT.body(), KEYS).delivered
            receiver.wait_closed(attempt)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 500, 503])
def test_a_refusal_is_kept_with_its_words(status: int) -> None:
    with serving(always(reply(status, b"no \xff\x00thanks", Location="/else"))) as receiver:
        answer = send(receiver.url)
        assert answer == Answer(status=status, excerpt="no \N{REPLACEMENT CHARACTER}thanks")
        assert not answer.delivered
        assert answer.disable == (status == 410)
        assert len(receiver.received) == 1


def test_retry_after_comes_back_in_seconds() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    with serving(always(reply(429, Retry_After="120"))) as receiver:
        assert send(receiver.url).retry_after == 120
    with serving(always(reply(503, Retry_After=later))) as receiver:
        assert send(receiver.url).retry_after == pytest.approx(300, abs=30)
    with serving(always(reply(503, Retry_After="soon"))) as receiver:
        assert send(receiver.url).retry_after is None


def test_a_talkative_receiver_is_read_for_two_kilobytes_only() -> None:
    def script(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while not receiver.over.is_set():
            yield b"400\r\n" + b"x" * 1024 + b"\r\n"

    with serving(script) as receiver:
        answer = send(receiver.url)
        assert answer == Answer(status=200, excerpt="x" * 2048)
        receiver.wait_closed(1)


def test_a_status_counts_although_its_body_never_ends() -> None:
    def script(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
        yield from drip(b"x", receiver.over)

    with serving(script) as receiver:
        answer = send(receiver.url)
        assert answer.delivered
        assert answer.error == "No full answer came within 0.5 s."


@pytest.mark.parametrize("piece", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_receiver_that_stalls_costs_the_timeout_and_no_more(piece: bytes) -> None:
    with serving(lambda _: drip(piece, receiver.over)) as receiver:
        begun = time.monotonic()
        answer = send(receiver.url)
        assert 0.4 < time.monotonic() - begun < 3
        assert answer == Answer(
            error="No full answer came within 0.5 s.", code="source-unreachable"
        )


def test_network_trouble_is_an_answer_and_no_exception() -> None:
    with serving(always(b"220 smtp.example ESMTP\r\n"), keep=False) as receiver:
        gone = receiver.url
        assert send(gone) == Answer(
            error="The host's answer is not HTTP, or it broke off.", code="source-unreachable"
        )
        assert send(gone.replace("http:", "https:")) == Answer(
            error="The host could not be reached.", code="source-unreachable"
        )
    assert send(gone) == Answer(error="The host could not be reached.", code="source-unreachable")
    assert send("not a URL").error == "Only http and https addresses are opened."


def test_a_receiver_inside_is_never_dialled() -> None:
    with serving(always(reply(200))) as receiver:
        wire = Wire(receiver.port)
        with sending(False, lookup=Resolver(["10.0.0.7"]), dial=wire) as sender:
            named = sender.send("https://hooks.example/", EVENT.id, EVENT.body(), KEYS)
            literal = sender.send("http://127.0.0.1/", EVENT.id, EVENT.body(), KEYS)
        assert (named.status, literal.status) == (None, None)
        assert "do not open" in str(named.error)
        assert "loopback" in str(literal.error)
        assert (wire.dialled, receiver.connections) == ([], 0)


def test_a_kept_connection_stays_with_the_address_that_passed() -> None:
    rebinding = Resolver(["93.184.216.34"], ["127.0.0.1"])
    with serving(always(reply(200))) as receiver:
        wire = Wire(receiver.port)
        with sending(False, lookup=rebinding, dial=wire) as sender:
            for _ in range(2):
                assert sender.send("http://hooks.example/", EVENT.id, EVENT.body(), KEYS).delivered
        assert wire.dialled == [("93.184.216.34", 80)]
