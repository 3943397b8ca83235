"""TCP ways between processes, in this process: slow, deaf or broken when a test says so."""

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, Self, TypeVar

from tests.chaos.blackhole import drop_all

Answer = TypeVar("Answer")

CHUNK = 65_536
MEMORY = 262_144  #: bytes of a conversation that rules look back on
#: How psycopg2 says COMMIT: a simple query, alone in its packet.
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class _Broken(Exception):
    """A rule ended the connection."""


@dataclass(eq=False)
class LostReply:
    """
    The server does it, and nobody hears that it did: the reply is dropped, the connection reset.

    Strikes at every `every`-th COMMIT of a transaction that held `text`, `times` times.
    """

    text: bytes
    times: int
    every: int = 3
    met: int = 0
    struck: int = 0

    async def __call__(self, talk: "Talk", chunk: bytes) -> None:
        if not chunk.endswith(COMMIT) or self.text not in talk.said or self.struck >= self.times:
            return
        self.met += 1
        if self.met % self.every:
            return
        self.struck += 1
        talk.swallow.clear()
        talk.server.write(chunk)
        await asyncio.wait_for(talk.swallowed.wait(), 20)
        raise _Broken


@dataclass(eq=False)
class Hold:
    """
    A request that holds `text` stops here until it is released.

    `reached` says that one has come, `over` that after the release its COMMIT has passed, too.
    """

    text: bytes
    reached: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, talk: "Talk", chunk: bytes) -> None:
        if self._released.is_set():
            if chunk.endswith(COMMIT) and self.text in talk.said:
                self.over.set()
            return
        if self.text not in chunk:
            return
        self._loop = asyncio.get_running_loop()
        self.reached.set()
        await self._released.wait()

    def release(self) -> None:
        """Let it go on, and all that come after it."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._released.set)


@dataclass(eq=False)
class LateReply:
    """
    The server commits a transaction that held `text`, and the reply stays here until released.

    `reached` says that it has come, `over` that after the release the COMMIT of a transaction that
    held `then` has passed.
    """

    text: bytes
    then: bytes
    reached: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    _talk: "Talk | None" = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, talk: "Talk", chunk: bytes) -> None:
        if not chunk.endswith(COMMIT):
            return
        if self._talk is None and self.text in talk.said:
            self._talk, self._loop = talk, asyncio.get_running_loop()
            talk.answering.clear()
            self.reached.set()
        elif self._talk is not None and self._talk.answering.is_set() and self.then in talk.said:
            self.over.set()

    def release(self) -> None:
        """Let the reply through."""
        if self._talk is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._talk.answering.set)


Rule = Callable[["Talk", bytes], Coroutine[Any, Any, None]]


class Talk:
    """One connection through a link."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.said = bytearray()  #: by the client since its last COMMIT
        self.swallow = asyncio.Event()  #: cleared: replies are dropped
        self.swallow.set()
        self.swallowed = asyncio.Event()
        self.answering = asyncio.Event()  #: cleared: replies wait
        self.answering.set()
        self.lost = False  #: as if a firewall had forgotten the connection

    def lose(self) -> None:
        """What the client sends is not even acknowledged any more; nobody is told."""
        self.lost = True
        drop_all(self.client.get_extra_info("socket"))

    def end(self, *, rudely: bool = False) -> None:
        """Close both sides; rudely is a reset."""
        for writer in (self.client, self.server):
            raw = writer.get_extra_info("socket")
            if rudely and raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Link:
    """
    A port that leads to another one.

    `delay` is seconds that every chunk waits, each way; while `deaf`, connections stay open and
    nothing passes. `rules` see every chunk of a client before it passes, `taps` a copy of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target: int) -> None:
        self.delay = 0.0
        self.rules: list[Rule] = []
        self.taps: list[Callable[[bytes], None]] = []
        self.port = 0
        self._loop, self._target = loop, target
        self._hearing = asyncio.Event()
        self._hearing.set()
        self._talks: set[Talk] = set()
        self._unheard: set[asyncio.StreamWriter] = set()  #: came while we were deaf
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """Those that clients hold open, answered or not."""
        return len(self._talks) + len(self._unheard)

    def deaf(self, yes: bool) -> None:
        """Become a black hole, or stop being one."""
        self._loop.call_soon_threadsafe(self._hearing.clear if yes else self._hearing.set)

    @property
    def live(self) -> int:
        """Connections through which something passes."""
        return sum(not talk.lost for talk in self._talks)

    def lose(self) -> None:
        """Every connection there is now becomes a black hole; new ones are as good as ever."""
        self._loop.call_soon_threadsafe(self._lose)

    def _lose(self) -> None:
        for talk in self._talks:
            talk.lose()

    def cut(self, *, rudely: bool = False) -> None:
        """End every connection there is now."""
        self._loop.call_soon_threadsafe(self._cut, rudely)

    def _cut(self, rudely: bool) -> None:
        for talk in list(self._talks):
            talk.end(rudely=rudely)
        for writer in self._unheard:
            writer.transport.abort()
        self._unheard.clear()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut(rudely=False)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the network is over; asyncio would log it
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._unheard.add(writer)
        await self._hearing.wait()
        if writer not in self._unheard:
            return
        self._unheard.discard(writer)
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        talk = Talk(writer, server)
        self._talks.add(talk)
        try:
            there = asyncio.create_task(self._forth(talk, reader))
            back = asyncio.create_task(self._back(talk, answers))
            done, left = await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            talk.end(rudely=any(isinstance(task.exception(), _Broken) for task in done))
        finally:
            self._talks.discard(talk)
            talk.end()

    async def _forth(self, talk: Talk, reader: asyncio.StreamReader) -> None:
        while chunk := await _read(reader):
            await self._pass(talk, chunk)
            for rule in list(self.rules):
                await rule(talk, chunk)
            if chunk.endswith(COMMIT):
                talk.said.clear()
            for tap in list(self.taps):
                tap(chunk)
            talk.server.write(chunk)
            await _drain(talk.server)

    async def _pass(self, talk: Talk, chunk: bytes) -> None:
        await self._wait()
        talk.said += chunk
        del talk.said[:-MEMORY]

    async def _back(self, talk: Talk, reader: asyncio.StreamReader) -> None:
        while chunk := await _read(reader):
            await self._wait()
            if talk.lost:
                continue
            if not talk.swallow.is_set():
                talk.swallowed.set()
                continue
            await talk.answering.wait()
            talk.client.write(chunk)
            await _drain(talk.client)

    async def _wait(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._hearing.wait()


class Network:
    """The event loop that carries links, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._links: list[Link] = []

    def link(self, target: int) -> Link:
        """A new way to `target`, a port on this machine."""
        link = Link(self._loop, target)
        self._run(link.open())
        self._links.append(link)
        return link

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        for link in self._links:
            link.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # aborted transports close in the loop's next rounds
            await asyncio.sleep(0)

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""


async def _drain(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.drain()
    except OSError as error:
        raise _Broken from error
