"""An HTTP server on the loopback interface that behaves, or misbehaves, as a test says."""

import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Condition, Event, Thread
from typing import TypeAlias

import httpcore2
from httpcore2 import SOCKET_OPTION, NetworkStream


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


#: What a request is answered with: raw pieces, sent as they come.
Script: TypeAlias = Callable[[Received], Iterable[bytes]]


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A whole, well-formed answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def drip(piece: bytes, over: Event, *, pause: float = 0.02) -> Iterator[bytes]:
    """The same few bytes again and again, until `over`."""
    while not over.wait(pause):
        yield piece


class Loopback:
    """What a running server has seen so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.received: list[Received] = []
        self.connections = 0
        self.over = Event()  #: set when the test is; scripts that hang wait for it
        self._change = Condition()
        self._closed = 0

    def opened(self) -> None:
        with self._change:
            self.connections += 1

    def closed(self) -> None:
        with self._change:
            self._closed += 1
            self._change.notify_all()

    def wait_closed(self, connections: int) -> None:
        with self._change:
            assert self._change.wait_for(lambda: self._closed >= connections, timeout=10)


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, script: Script, keep: bool, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.script = script
        self.keep = keep
        self.tls = tls
        self.loopback = Loopback(self.server_address[1])


class _Connection(StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        self.server.loopback.opened()
        super().setup()

    def handle(self) -> None:
        # Clients hang up on hosts that misbehave, and some speak TLS to those that do not.
        with suppress(ConnectionError, ssl.SSLError, UnicodeDecodeError):
            if self.server.tls:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
                super().setup()
            while self._answer() and self.server.keep:
                pass

    def finish(self) -> None:
        with suppress(ConnectionError):
            super().finish()
        self.request.close()
        self.server.loopback.closed()

    def _answer(self) -> bool:
        received = self._request()
        if received is None:
            return False
        self.server.loopback.received.append(received)
        for piece in self.server.script(received):
            self.wfile.write(piece)
        return not self.server.loopback.over.is_set()

    def _request(self) -> Received | None:
        line = self.rfile.readline().decode().strip()
        if not line:
            return None
        headers: dict[str, str] = {}
        while header := self.rfile.readline().decode().strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Received(line, headers, body)


@contextmanager
def serving(
    script: Script, *, keep: bool = True, tls: ssl.SSLContext | None = None
) -> Iterator[Loopback]:
    """Answer every request with `script`; without `keep`, hang up after the first."""
    with _Server(script, keep, tls) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.loopback
        server.loopback.over.set()
        server.shutdown()
        thread.join()


class Wire(httpcore2.SyncBackend):
    """An internet of one host: whatever is dialled is noted and answered by one server."""

    def __init__(self, port: int) -> None:
        self.dialled: list[tuple[str, int]] = []
        self._port = port

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        self.dialled.append((host, port))
        return super().connect_tcp("127.0.0.1", self._port, timeout, local_address, socket_options)


class Resolver:
    """A name server whose answers may change from one question to the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._answers = answers

    def __call__(self, host: str, port: int) -> Sequence[str]:
        # Asked in bytes, a stub keyed on text never answers, and a test passes for no reason.
        assert isinstance(host, str)
        self.asked.append((host, port))
        return self._answers[min(len(self.asked), len(self._answers)) - 1]
