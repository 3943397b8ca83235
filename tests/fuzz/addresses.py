"""Whatever a URL, a resolver and a host answer, nothing but public addresses is dialled."""

import ssl
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from httpcore2 import ConnectError, NetworkBackend, NetworkStream

from app.addresses import check_url, literal
from app.egress import Egress
from app.errors import BodyTooLarge, SourceForbidden, SourceUnreachable
from app.fetch import Fetcher
from app.settings import LimitSettings

REFUSED: Final = (SourceForbidden, SourceUnreachable, BodyTooLarge)
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  #: a real one takes 50 ms to make
LIMITS: Final = LimitSettings(body_bytes=4096, fetch_seconds=5.0)


def address(content: bytes) -> str:
    """
    Three lines: a URL, what its name resolves to, and all the bytes that the host answers with.

    Says in a word how it ended; raises `AssertionError` where a promise was broken.
    """
    url, answers, answer = [*content.split(b"\n", 2), b"", b""][:3]
    text = url.decode(errors="replace")
    found = [word for word in answers.decode(errors="replace").split() if literal(word)]
    dial = Host(answer)
    egress = Egress(
        allow_private=False, lookup=lambda host, port: found, dial=dial, ssl_context=NO_TLS
    )
    try:
        body = Fetcher(egress, LIMITS).fetch(text)
    except REFUSED as error:
        assert str(error).isprintable()
        outcome = "refused"
    else:
        assert len(body) <= LIMITS.body_bytes
        outcome = "fetched"
    finally:
        egress.close()
    for host, port in dial.dialled:
        _assert_public(host)
        assert port in (80, 443)
        parsed = check_url(text, allow_private=False)
        assert parsed.scheme in ("http", "https")
        assert not parsed.userinfo
    return outcome


def _assert_public(host: str) -> None:
    """By another list than ours: what Python's own calls no public address, we never dial."""
    found = ip_address(host)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    for each in (found, mapped or found):
        assert each.is_global and not each.is_multicast, host
        assert not (each.is_private or each.is_loopback or each.is_link_local), host
        assert not (each.is_reserved or each.is_unspecified), host


class Host(NetworkBackend):
    """Remembers who was dialled, and answers everybody with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.dialled: list[tuple[str, int]] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        self.dialled.append((host, port))
        if port == 443:
            raise ConnectError("no TLS here")
        return Answer(self._answer)

    def connect_unix_socket(self, *arguments: Any, **options: Any) -> NetworkStream:
        raise AssertionError("nothing of ours speaks to sockets with names")

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing of ours tries again by itself")


class Answer(NetworkStream):
    """What a host says, in pieces of its reader's size."""

    def __init__(self, rest: bytes) -> None:
        self._rest = rest

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        piece, self._rest = self._rest[:max_bytes], self._rest[max_bytes:]
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        assert buffer.count(b"\r\n\r\n") <= 1, "a URL has smuggled in a second request"

    def close(self) -> None:
        self._rest = b""

    def get_extra_info(self, info: str) -> Any:
        return None
