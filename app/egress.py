"""The one way out to addresses that strangers name: checked, pinned, and under one deadline."""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from threading import local
from time import monotonic
from typing import Final

import httpcore2
from httpcore2 import SOCKET_OPTION, ConnectTimeout, NetworkBackend, NetworkStream

from app.addresses import Lookup, check_url, lookup, resolve
from app.errors import SourceUnreachable

KEPT: Final = 4  #: connections that a thread keeps open, to as many hosts


class Egress:
    """
    Sends single requests: no redirects, no proxies or credentials from the environment.

    It sits below HTTP, where names become connections: TLS and the Host header keep the name,
    the socket gets the address that passed, and kept connections stay with it. `dial` is what
    opens the sockets. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        lookup: Lookup = lookup,
        dial: NetworkBackend | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._guard = _Guard(dial or httpcore2.SyncBackend(), lookup, allow_private)
        self._ssl_context = ssl_context or httpcore2.default_ssl_context()
        self._own = local()
        self._pools: list[httpcore2.ConnectionPool] = []

    @contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> Iterator[httpcore2.Response]:
        """
        One request and its answer, whose body is still to be read inside the `with`.

        All of it, name look-up to last byte, ends after `seconds`. Raises `SourceForbidden` and
        `SourceUnreachable`, whose texts tell a caller nothing about the network behind us.
        """
        target, host = _target(url, self._allow_private)
        named = [("Host", host), *headers.items()]
        limits = {"timeout": _until(seconds)}
        try:
            with self._pool().stream(
                method, target, headers=named, content=content, extensions=limits
            ) as response:
                yield response
        except httpcore2.TimeoutException:
            raise SourceUnreachable(f"No full answer came within {seconds:g} s.") from None
        except httpcore2.NetworkError:
            raise SourceUnreachable("The host could not be reached.") from None
        except httpcore2.ProtocolError:
            raise SourceUnreachable("The host's answer is not HTTP, or it broke off.") from None

    def close(self) -> None:
        """Close the kept connections; requests under way fail."""
        for pool in self._pools:
            pool.close()

    def _pool(self) -> httpcore2.ConnectionPool:
        """
        The thread's own: a pool looks at each of its connections before every request, and a
        thread has one request at a time.
        """
        pool: httpcore2.ConnectionPool | None = getattr(self._own, "pool", None)
        if pool is None:
            pool = self._own.pool = httpcore2.ConnectionPool(
                ssl_context=self._ssl_context,
                max_connections=KEPT,
                keepalive_expiry=5.0,
                network_backend=self._guard,
            )
            self._pools.append(pool)
        return pool


@lru_cache(1024)  # one campaign's events go to one receiver, thousands of times
def _target(url: str, allow_private: bool) -> tuple[httpcore2.URL, str]:
    parsed = check_url(url, allow_private=allow_private)
    target = httpcore2.URL(
        scheme=parsed.raw_scheme,
        host=parsed.raw_host,
        port=parsed.port,
        target=parsed.raw_path,
    )
    return target, parsed.netloc.decode("ascii")


def header(response: httpcore2.Response, name: bytes) -> str | None:
    """The header `name` (lower case) of a response, several joined by commas; None without."""
    values = [value for key, value in response.headers if key.lower() == name]
    return b", ".join(values).decode("latin-1") if values else None


def _until(seconds: float) -> dict[str, float]:
    """
    Moments of `monotonic()` where httpcore expects durations.

    It hands them unread to every connect, write and read, and those are ours (below): so a host
    that drips a byte a second meets the same deadline as one that is silent.
    """
    deadline = monotonic() + seconds
    return {"connect": deadline, "write": deadline, "read": deadline, "pool": seconds}


def _left(deadline: float | None) -> float:
    left = (deadline or 0.0) - monotonic()  # no deadline counts as one that has passed
    if left <= 0:
        raise ConnectTimeout
    return left


class _Guard(NetworkBackend):
    """Opens connections to addresses that pass, and to nothing else."""

    def __init__(self, dial: NetworkBackend, lookup: Lookup, allow_private: bool) -> None:
        self._dial = dial
        self._lookup = lookup
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        pinned = resolve(
            host,
            port,
            allow_private=self._allow_private,
            timeout=_left(timeout),
            lookup=self._lookup,
        )
        return _Stream(
            self._dial.connect_tcp(pinned, port, _left(timeout), local_address, socket_options)
        )


class _Stream(NetworkStream):
    """A connection whose timeouts are moments."""

    def __init__(self, stream: NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()
