"""A thousand people at once, each with a connection, in one thread that costs little."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic, perf_counter
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import uvloop

from benchmarks.caller import Caller
from benchmarks.interactive import form

PATIENCE: Final = 120.0  #: seconds in all until a picture counts as an error
WAIT: Final = "wait=30"

Answer = tuple[int, dict[str, Any]]


@dataclass
class Seen:
    """What visitors met."""

    ms: list[float] = field(default_factory=list)  #: from asking to the picture's end, if it ended
    errors: Counter[str] = field(default_factory=Counter)
    polls: int = 0  #: answers that came before the end, and were asked again
    seconds: float = 0.0


class Visitors:
    """
    So many, each of whom asks for one picture, waits for it, and looks at it for `think` seconds
    (exponentially spread) before asking for the next. Who has not asked for `warm` seconds does
    not count yet.
    """

    def __init__(
        self, caller: Caller, style: str, files: Sequence[bytes], amount: int, think: float
    ) -> None:
        url = urlsplit(caller.url)
        self._where = (url.hostname or "127.0.0.1", url.port or 80)
        self._head = f"Host: {url.netloc}\r\nAuthorization: Bearer {caller.key}\r\n"
        self._boundary = uuid4().hex
        self._bodies = [form(self._boundary, file, style) for file in files]
        self._amount, self._think = amount, think
        self._random = Random(0)

    def visit(self, warm: float, seconds: float, say: Callable[[str], None]) -> Seen:
        """Come, warm up, be counted for `seconds`, and finish what was begun."""
        return uvloop.run(self._visit(warm, seconds, say))

    async def _visit(self, warm: float, seconds: float, say: Callable[[str], None]) -> Seen:
        seen = Seen()
        begin = monotonic() + warm
        end = begin + seconds
        visitors = [
            asyncio.create_task(self._visitor(number, begin, end, seen))
            for number in range(self._amount)
        ]
        while monotonic() < end:
            await asyncio.sleep(1.0)
            say(f"{len(seen.ms)} pictures, {seen.errors.total()} errors")
        await asyncio.gather(*visitors)
        seen.seconds = seconds
        return seen

    async def _visitor(self, number: int, begin: float, end: float, seen: Seen) -> None:
        """From a random moment of the first pause on, as if all had been there for long."""
        line = _Line(self._where)
        try:
            await asyncio.sleep(self._random.random() * self._think)
            while monotonic() < end:
                counted, start = monotonic() >= begin, perf_counter()
                fault = await self._picture(line, seen)
                if counted and fault:
                    seen.errors[fault] += 1
                elif counted:
                    seen.ms.append(1000 * (perf_counter() - start))
                pause = self._random.expovariate(1 / self._think) if self._think else 0.0
                await asyncio.sleep(min(pause, max(0.0, end - monotonic())))
        finally:
            line.close()

    async def _picture(self, line: "_Line", seen: Seen) -> str:
        """Asked for and waited for; what went wrong, if something did."""
        try:
            async with asyncio.timeout(PATIENCE):
                status, job = await line.ask(self._post())
                while status in (200, 202) and job["status"] in ("queued", "running"):
                    seen.polls += 1
                    status, job = await line.ask(self._get(job["id"]))
        except (OSError, EOFError, TimeoutError) as error:
            line.close()
            return type(error).__name__
        if status >= 400:
            return f"{status} {job.get('code')}"
        return "" if job["status"] == "succeeded" else str(job["status"])

    def _post(self) -> bytes:
        body = self._random.choice(self._bodies)
        return (
            f"POST /v1/jobs HTTP/1.1\r\n{self._head}Prefer: {WAIT}\r\n"
            f"Content-Type: multipart/form-data; boundary={self._boundary}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _get(self, job_id: str) -> bytes:
        return f"GET /v1/jobs/{job_id} HTTP/1.1\r\n{self._head}Prefer: {WAIT}\r\n\r\n".encode()


class _Line:
    """One visitor's connection, opened when it is needed."""

    def __init__(self, where: tuple[str, int]) -> None:
        self._where = where
        self._both: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError or EOFError where the connection breaks."""
        if self._both is None or self._both[0].at_eof():
            self.close()
            self._both = await asyncio.open_connection(*self._where)
        reader, writer = self._both
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head[9:12]), json.loads(await reader.readexactly(length))

    def close(self) -> None:
        if self._both is not None:
            self._both[1].close()
            self._both = None
