"""Fetching pictures from hosts that are good, bad and ugly, over real sockets."""

import gzip
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.egress import Egress
from app.errors import BodyTooLarge, SourceForbidden, SourceUnreachable
from app.fetch import Fetcher
from app.settings import LimitSettings
from tests.loopback import Loopback, Received, Resolver, Script, Wire, drip, reply, serving

PICTURE = b"\xff\xd8" + bytes(range(256)) * 40
LIMITS = LimitSettings(body_bytes=20_000, fetch_seconds=0.5)
PUBLIC = "93.184.216.34"
OTHER = "93.184.216.35"


@contextmanager
def fetching(allow_private: bool = True, **seams: object) -> Iterator[Callable[[str], bytes]]:
    with closing(Egress(allow_private=allow_private, **seams)) as egress:  # type: ignore[arg-type]
        yield Fetcher(egress, LIMITS).fetch


def fetch(url: str) -> bytes:
    with fetching() as fetch:
        return fetch(url)


def always(*pieces: bytes) -> Script:
    return lambda _: pieces


def test_a_picture_arrives_as_it_is() -> None:
    with serving(always(reply(body=PICTURE))) as host:
        assert fetch(f"{host.url}/a b.jpg?size=1&x=%20#part") == PICTURE
        assert host.received[0].line == "GET /a%20b.jpg?size=1&x=%20 HTTP/1.1"
        assert host.received[0].headers["host"] == f"127.0.0.1:{host.port}"
        assert host.received[0].headers["accept-encoding"] == "identity"


def test_a_chunked_picture_arrives_as_it_is() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(always(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")) as host:
        assert fetch(host.url) == b"abcde"


def test_two_pictures_of_one_host_share_a_connection() -> None:
    with serving(always(reply(body=PICTURE))) as host, fetching() as fetch:
        assert fetch(host.url) == fetch(host.url) == PICTURE
        assert host.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    with serving(always(reply(status, Location="/elsewhere"))) as host:
        with pytest.raises(SourceForbidden, match="redirects"):
            fetch(host.url)
        assert len(host.received) == 1


@pytest.mark.parametrize("status", [201, 204, 206, 401, 404, 500, 503])
def test_anything_but_200_is_unreachable_and_its_body_is_not_told(status: int) -> None:
    body = b"" if status == 204 else b"the secret of an inner host"
    with serving(always(reply(status, body))) as host:
        with pytest.raises(SourceUnreachable, match=str(status)) as caught:
            fetch(host.url)
        assert "secret" not in str(caught.value)


def test_a_packed_answer_is_refused() -> None:
    bomb = gzip.compress(bytes(2**20))
    with (
        serving(always(reply(body=bomb, Content_Encoding="gzip"))) as host,
        pytest.raises(SourceForbidden, match="plain bytes"),
    ):
        fetch(host.url)


def test_too_many_declared_bytes_are_refused_before_they_come() -> None:
    def script(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 20001\r\n\r\n"
        host.over.wait(10)

    with serving(script) as host, pytest.raises(BodyTooLarge):
        fetch(host.url)


def test_an_endless_body_is_cut_at_the_limit() -> None:
    def script(_: Received) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while not host.over.is_set():
            yield b"400\r\n" + bytes(1024) + b"\r\n"

    with serving(script) as host, pytest.raises(BodyTooLarge):
        fetch(host.url)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b""),
        (b"", b"H"),
        (OK, b""),
        (OK, b"X-More: headers\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Content-Length: 9999\r\n\r\n", b""),
        (OK + b"Content-Length: 9999\r\n\r\n", b"x"),
    ],
    ids=[
        "says nothing",
        "drips a status",
        "stops in the headers",
        "never ends the headers",
        "always says continue",
        "stops in the body",
        "drips the body",
    ],
)
def test_a_slow_host_meets_one_deadline_for_everything(start: bytes, piece: bytes) -> None:
    def script(_: Received) -> Iterable[bytes]:
        yield start
        yield from drip(piece, host.over)

    with serving(script) as host:
        begun = time.monotonic()
        with pytest.raises(SourceUnreachable, match="No full answer"):
            fetch(host.url)
        assert 0.4 < time.monotonic() - begun < 3


def test_a_deadline_that_has_passed_is_not_started_on() -> None:
    with serving(always(reply(body=PICTURE))) as host:
        with (
            closing(Egress(allow_private=True)) as egress,
            pytest.raises(SourceUnreachable, match="No full answer"),
        ):
            Fetcher(egress, LimitSettings(fetch_seconds=1e-9)).fetch(host.url)
        assert host.connections == 0


def test_a_handshake_that_never_comes_meets_the_deadline() -> None:
    with serving(lambda _: drip(b"", host.over)) as host:
        begun = time.monotonic()
        with pytest.raises(SourceUnreachable):
            fetch(host.url.replace("http:", "https:"))
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 10\r\n\r\nshort",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nsho",
        OK + b"Content-Length: ten\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        OK + b"X: " + b"x" * 200_000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["short", "half a chunk", "no length", "two lengths", "huge header", "ssh", "hang-up"],
)
def test_an_answer_that_breaks_off_or_is_no_http_is_unreachable(answer: bytes) -> None:
    with serving(always(answer), keep=False) as host, pytest.raises(SourceUnreachable):
        fetch(host.url)


def test_a_closed_port_looks_like_any_other_failure() -> None:
    with serving(always()) as host:
        gone = host.url
    with pytest.raises(SourceUnreachable) as caught:
        fetch(gone)
    assert str(caught.value) == "The host could not be reached."


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(always(reply(500))) as proxy, serving(always(reply(body=PICTURE))) as host:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert fetch(host.url) == PICTURE
        assert proxy.connections == 0


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]]
)
def test_a_name_that_leads_inside_is_never_dialled(answers: list[str]) -> None:
    with serving(always(reply(body=PICTURE))) as host:
        wire = Wire(host.port)
        with (
            fetching(allow_private=False, lookup=Resolver(answers), dial=wire) as fetch,
            pytest.raises(SourceForbidden),
        ):
            fetch("http://pictures.example/a.jpg")
        assert (wire.dialled, host.connections) == ([], 0)


def test_a_private_address_is_never_dialled() -> None:
    with serving(always(reply(body=PICTURE))) as host:
        with fetching(allow_private=False) as fetch, pytest.raises(SourceForbidden):
            fetch(host.url)
        assert host.connections == 0


def test_a_name_that_changes_its_mind_does_not_move_the_connection() -> None:
    rebinding = Resolver([PUBLIC], ["127.0.0.1"])
    with serving(always(reply(body=PICTURE))) as host:
        wire = Wire(host.port)
        with fetching(allow_private=False, lookup=rebinding, dial=wire) as fetch:
            assert fetch("http://pictures.example/a.jpg") == PICTURE
            assert fetch("http://pictures.example/b.jpg") == PICTURE
        assert rebinding.asked == [("pictures.example", 80)]
        assert wire.dialled == [(PUBLIC, 80)]
        assert host.received[0].headers["host"] == "pictures.example"


def test_every_new_connection_is_checked_anew() -> None:
    rebinding = Resolver([PUBLIC], ["127.0.0.1"])
    with serving(always(reply(body=PICTURE, Connection="close")), keep=False) as host:
        wire = Wire(host.port)
        with fetching(allow_private=False, lookup=rebinding, dial=wire) as fetch:
            assert fetch("http://pictures.example/a.jpg") == PICTURE
            with pytest.raises(SourceForbidden):
                fetch("http://pictures.example/b.jpg")
        assert wire.dialled == [(PUBLIC, 80)]


def certificate(name: str, directory: Path) -> Path:
    """A self-signed certificate and its key in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "host.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def tls_host(tmp_path: Path) -> Iterator[tuple[Loopback, ssl.SSLContext]]:
    """A host whose certificate says pictures.example, and a client that trusts it."""
    pem = certificate("pictures.example", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with serving(always(reply(body=PICTURE)), tls=tls) as host:
        yield host, ssl.create_default_context(cafile=pem)


def test_tls_keeps_the_name_although_the_address_is_pinned(
    tls_host: tuple[Loopback, ssl.SSLContext],
) -> None:
    host, trust = tls_host
    wire = Wire(host.port)
    seams = {"lookup": Resolver([PUBLIC, OTHER]), "dial": wire, "ssl_context": trust}
    with fetching(allow_private=False, **seams) as fetch:
        assert fetch("https://pictures.example/a.jpg") == PICTURE
        with pytest.raises(SourceUnreachable):
            fetch("https://another.example/a.jpg")
    assert wire.dialled == [(PUBLIC, 443), (PUBLIC, 443)]
    assert [received.headers["host"] for received in host.received] == ["pictures.example"]


def test_a_certificate_nobody_vouches_for_is_refused(
    tls_host: tuple[Loopback, ssl.SSLContext],
) -> None:
    host, _ = tls_host
    seams = {"lookup": Resolver([PUBLIC]), "dial": Wire(host.port)}
    with fetching(allow_private=False, **seams) as fetch, pytest.raises(SourceUnreachable):
        fetch("https://pictures.example/a.jpg")
    assert host.received == []
