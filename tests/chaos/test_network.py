"""The links do what faults need: pass, delay, hold, go deaf, break, and lose replies."""

import socket
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.chaos.network import Hold, Link, LostReply, Network
from tests.chaos.waiting import until
from tests.loopback import Loopback, reply, serving


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving(lambda received: [reply(200, received.body)]) as server:
        yield server


@pytest.fixture
def link(network: Network, server: Loopback) -> Link:
    return network.link(server.port)


REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi"


def call(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(999) == b""
    except ConnectionError:
        return True


def test_a_link_passes_what_it_gets(link: Link) -> None:
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        assert client.recv(999).endswith(b"hi")


def test_a_slow_link_takes_its_time_each_way(link: Link) -> None:
    link.delay = 0.1
    with closing(call(link)) as client:
        start = monotonic()
        client.sendall(REQUEST)
        client.recv(999)
        assert monotonic() - start >= 0.2


def test_a_deaf_link_passes_nothing_until_it_hears_again(link: Link, server: Loopback) -> None:
    link.deaf(True)
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(999)
        assert not server.received
        link.deaf(False)
        client.settimeout(5)
        assert client.recv(999).endswith(b"hi")


def test_a_cut_ends_what_a_deaf_link_holds(link: Link, server: Loopback) -> None:
    link.deaf(True)
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        until(lambda: link.connections, 5, "the connection is there")
        link.cut()
        assert is_closed(client)
        until(lambda: not link.connections, 5, "the connection is gone")
        link.deaf(False)
    assert not server.received


def test_a_held_request_goes_on_when_it_is_released(link: Link, server: Loopback) -> None:
    hold = Hold(b"hi")
    link.rules.append(hold)
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        assert hold.reached.wait(5)
        assert not server.received
        hold.release()
        assert client.recv(999).endswith(b"hi")


def test_a_link_to_nowhere_hangs_up(network: Network) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        link = network.link(listener.getsockname()[1])
    with closing(call(link)) as client:
        assert is_closed(client)


def test_a_lost_reply_leaves_the_work_done(network: Network, database_url: str) -> None:
    url = make_url(database_url)
    assert url.port is not None
    link = network.link(url.port)
    link.rules.append(LostReply(b"here we are", times=1, every=1))
    through = create_engine(url.set(port=link.port))
    direct = create_engine(url)
    with direct.begin() as connection:
        connection.execute(text("CREATE TABLE marks (mark text)"))
    with pytest.raises(OperationalError), through.begin() as connection:
        connection.execute(text("INSERT INTO marks VALUES ('here we are')"))
    with through.begin() as connection:  # struck once, and then it passes
        connection.execute(text("INSERT INTO marks VALUES ('here we are')"))
    with direct.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM marks")) == 2
    through.dispose()
    direct.dispose()


def test_a_tap_hears_what_passes(link: Link) -> None:
    heard: list[bytes] = []
    link.taps.append(heard.append)
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        client.recv(999)
    assert b"".join(heard) == REQUEST


def test_leaving_ends_every_connection(server: Loopback) -> None:
    with Network() as network:
        link = network.link(server.port)
        client = call(link)
        until(lambda: link.connections, 5, "the connection is there")
    with closing(client):
        assert is_closed(client)


def test_a_lost_connection_is_not_even_acknowledged_and_a_new_one_is_as_good_as_ever(
    link: Link,
) -> None:
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        assert client.recv(999).endswith(b"hi")
        link.lose()
        until(lambda: not link.live, 5, "it is lost")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
        client.sendall(REQUEST)
        client.settimeout(10)
        with pytest.raises(TimeoutError, match="Connection timed out"):  # the kernel's, not ours
            client.recv(999)
    with closing(call(link)) as client:
        client.sendall(REQUEST)
        assert client.recv(999).endswith(b"hi")
