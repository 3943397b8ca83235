"""What watching costs: one poll with a matching ETag, and what 10,000 pollers take from work."""

import asyncio
from collections.abc import Iterator
from statistics import median
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import Final
from urllib.parse import urlsplit

from benchmarks import pictures
from benchmarks.result import Bench, Result, Round, quiet
from benchmarks.system import System, running

POLLS: Final = 4_000
POLLERS: Final = 10_000
EVERY: Final = 60.0  #: seconds between two polls of one idle poller
JOBS: Final = 1_000
ROUNDS: Final = 5
MOST_OPEN: Final = 32  #: connections; ten thousand clients behind a proxy arrive over few


def watching(bench: Bench) -> Iterator[Result]:
    """CPU of every process for a 304, and throughput with and without idle pollers."""
    with running(bench.directory, null_engine=True, environment=bench.environment) as system:
        place, etag = _finished(system)
        yield _poll(bench, system, place, etag)
        bench.say("uploading")
        uploads = system.caller.upload_all(pictures.jpegs(JOBS, (64, 64)))
        alone, beside = [], []
        for _ in range(bench.amount(ROUNDS, least=3)):
            alone.append(_round(system, uploads))
            with _Pollers(system, place, etag) as pollers:
                beside.append(_round(system, uploads))
        chosen = [median(one["seconds"] for one in quiet(rounds)) for rounds in (alone, beside)]
        details = {
            "pollers": POLLERS,
            "seconds_between_polls": EVERY,
            "alone_s": [round(one["seconds"], 3) for one in alone],
            "beside_s": [round(one["seconds"], 3) for one in beside],
            "polls_in_the_last_round": pollers.answered,
        }
        share = chosen[0] / chosen[1]
        yield Result("throughput beside 10,000 idle pollers", share, "x", ">=", 0.95, None, details)


def _finished(system: System) -> tuple[str, str]:
    """A job that has ended, and its ETag."""
    [upload] = system.caller.upload_all(pictures.jpegs(1, (64, 64)))
    campaign = system.caller.campaign([upload], system.style)
    system.caller.finish([campaign])
    [job] = system.caller.get(f"/v1/campaigns/{campaign}/items")["data"]
    place = f"/v1/jobs/{job['id']}"
    return place, str(system.caller.send("GET", place)[0].getheader("ETag"))


def _poll(bench: Bench, system: System, place: str, etag: str) -> Result:
    amount = bench.amount(POLLS, least=500)
    with system.census.window() as window:
        for _ in range(amount):
            response, _ = system.caller.send("GET", place, If_None_Match=etag)
            assert response.status == 304
    spent = {name: round(1000 * cpu / amount, 3) for name, cpu in window.cpu.items()}
    each = 1000 * (window.cpu["api"] + window.cpu["postgres"]) / amount
    details = {"polls": amount, "cpu_ms": spent, "wall_ms": round(1000 * window.wall / amount, 3)}
    return Result("CPU of a status GET that answers 304", each, "ms", "<=", None, 2.0, details)


def _round(system: System, uploads: list[str]) -> Round:
    """Seconds from the hand-in of a campaign to its end."""
    with system.census.window() as window:
        start = perf_counter()
        system.caller.finish([system.caller.campaign(uploads, system.style)])
        seconds = perf_counter() - start
    return {"seconds": seconds, "others": window.others}


class _Pollers:
    """Ten thousand clients, each of which asks once in `EVERY` seconds, spread evenly."""

    def __init__(self, system: System, place: str, etag: str) -> None:
        url = urlsplit(system.caller.url)
        self._where = (url.hostname or "127.0.0.1", url.port or 80)
        key = system.caller.key
        self._request = (
            f"GET {place} HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"If-None-Match: {etag}\r\n\r\n"
        ).encode()
        self._over = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()))
        self.answered = 0

    def __enter__(self) -> "_Pollers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(MOST_OPEN):
                group.create_task(self._ask())

    async def _ask(self) -> None:
        """One connection's part of all polls."""
        reader, writer = await asyncio.open_connection(*self._where)
        pause, due = MOST_OPEN * EVERY / POLLERS, monotonic()
        while not self._over.is_set():
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 304")
            self.answered += 1
            due += pause
            await asyncio.sleep(max(0.0, due - monotonic()))
        writer.close()
        await writer.wait_closed()
