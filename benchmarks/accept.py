"""How fast campaigns are accepted, by items and by manifest, and what the time is spent on."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlencode

import psutil
from pydantic_core import from_json
from sqlalchemy import event, text

from app.catalog import Catalog
from app.domain.job import Lane
from app.domain.requests import CampaignRequest
from app.settings import Settings
from app.storage import open_storage
from app.submission import Desk, accept_campaign
from benchmarks import pictures
from benchmarks.result import Bench, Result, Round, medians, quiet
from benchmarks.system import System, running

ITEMS: Final = 1_000
ROUNDS: Final = 9
LINES: Final = 50_000
MANIFESTS: Final = 5


def accept(bench: Bench) -> Iterator[Result]:
    """Rows a second over HTTP, the uploads received before."""
    with running(bench.directory, null_engine=True, environment=bench.environment) as system:
        bench.say(f"uploading {ITEMS} pictures")
        uploads = system.caller.upload_all(pictures.jpegs(ITEMS, (64, 64)))
        over_http = [_timed(bench, system, uploads) for _ in range(bench.amount(ROUNDS, least=3))]
        inside = _split(bench, system, uploads)
        by_manifest = [
            _manifest(bench, system, uploads) for _ in range(bench.amount(MANIFESTS, least=2))
        ]
    chosen = [one["seconds"] for one in quiet(over_http)]
    seconds = median(chosen)
    rest = round(1000 * seconds - sum(inside.values()), 1)
    details: dict[str, Any] = {
        "items": ITEMS,
        "request_ms": [round(1000 * one["seconds"], 1) for one in over_http],
        "others_share": [round(one["others"], 3) for one in over_http],
        "rounds_used": len(chosen),
        "median_ms": round(1000 * seconds, 1),
        "inside_ms": inside | {"http, answer, ticket": rest},
    }
    yield Result("accepting a campaign", ITEMS / seconds, "rows/s", ">=", None, 10_000, details)
    yield from _of_manifests(by_manifest)


def _of_manifests(rounds: list[Round]) -> Iterator[Result]:
    """Rows a second of a large manifest, and what it adds to the API's memory."""
    seconds = median(one["seconds"] for one in quiet(rounds))
    details = {
        "lines": LINES,
        "request_ms": [round(1000 * one["seconds"]) for one in rounds],
        "others_share": [round(one["others"], 3) for one in rounds],
        "cpu_s": [one["cpu"] for one in rounds],
        "api_mb": [one["memory"] for one in rounds],
    }
    what = "accepting a manifest of 50,000 lines"
    yield Result(what, LINES / seconds, "rows/s", ">=", None, 20_000, details)
    grown = max(one["peak"] for one in rounds)
    yield Result("memory of the API meanwhile", grown, "MB more", "<=", 200, 50, details)


def _manifest(bench: Bench, system: System, uploads: list[str]) -> Round:
    """One manifest as the body of a request; canceled, so that the next one meets no work."""
    lines = (
        f'{{"custom_id": "sku-{n}", "input": {{"upload_id": "{uploads[n % len(uploads)]}"}}}}\n'
        for n in range(LINES)
    )
    body = "".join(lines).encode()
    query = urlencode({"options": json.dumps({"name": "manifest", "style": system.style})})
    sent = {"Content_Type": "application/x-ndjson"}
    api = system.census.find("api")
    before = api.memory_info().rss
    with system.standing_still(), system.census.window() as window, _peak(api) as peak:
        _, content = system.caller.send("POST", f"/v1/campaigns?{query}", body, **sent)
    campaign = json.loads(content)
    assert campaign["counts"]["total"] == LINES
    bench.say(f"{LINES} lines in {1000 * window.wall:.0f} ms")
    memory = [round(one / 1e6, 1) for one in (before, peak[0], api.memory_info().rss)]
    system.caller.post(f"{campaign['urls']['get']}/cancel", None)
    cpu = {name: round(spent, 2) for name, spent in window.cpu.items() if spent > 0.05}
    return {
        "seconds": window.wall,
        "others": window.others,
        "cpu": cpu,
        "memory": memory,  # before, at most, after
        "peak": (peak[0] - before) / 1e6,
    }


@contextmanager
def _peak(process: psutil.Process) -> Iterator[list[int]]:
    """The most resident bytes that the process had meanwhile, looked at every 20 ms."""
    most, over = [process.memory_info().rss], Event()

    def look() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], process.memory_info().rss)

    thread = Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def _timed(bench: Bench, system: System, uploads: list[str]) -> Round:
    """One campaign; the next one starts when this one is out of the way."""
    style = system.style
    with system.standing_still(), system.census.window() as window:
        campaign = system.caller.campaign(uploads, style)
    bench.say(f"accepted in {1000 * window.wall:.0f} ms")
    system.caller.finish([campaign])
    return {"seconds": window.wall, "others": window.others}


class _NoTickets:
    """Accepting in this process wakes nobody."""

    def work(self, lane: Lane, tickets: int = 1) -> None:
        """The sweep of the running system will find it."""

    def deliver(self) -> None:
        """Nobody asked for webhooks."""


class _Clock:
    """Seconds spent in the database, commits included."""

    def __init__(self, engine: Any) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._start = 0.0
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)

    def _begin(self, *_: Any) -> None:
        self._start = perf_counter()

    def _end(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        name = "insert jobs" if "json_to_recordset" in statement else "other SQL"
        self.seconds[name] += perf_counter() - self._start


def _split(bench: Bench, system: System, uploads: list[str]) -> dict[str, float]:
    """The same request taken apart, in this process and on the same database."""
    settings = Settings(_env_file=None)
    style = system.style
    desk = Desk(
        settings=settings,
        sessions=system.sessions,
        storage=open_storage(settings.storage),
        tickets=_NoTickets(),
        stylizer=Catalog(settings.catalog).stylizer(settings.engine.stylizer).digest,
    )
    with system.sessions() as session:
        tenant_id = session.scalar(text("SELECT tenant_id FROM uploads LIMIT 1"))
    items = [{"custom_id": str(n), "input": {"upload_id": one}} for n, one in enumerate(uploads)]
    body = json.dumps({"name": "split", "style": style, "items": items}).encode()
    clock = _Clock(system.sessions.kw["bind"])
    rows = []
    for _ in range(bench.amount(ROUNDS, least=3)):
        clock.seconds.clear()
        start = perf_counter()
        request = CampaignRequest.model_validate(from_json(body))
        parsed = perf_counter()
        accept_campaign(desk, tenant_id, request)
        inside = perf_counter() - parsed - sum(clock.seconds.values())
        seconds = {"parse": parsed - start, **clock.seconds, "planning, ORM, commit": inside}
        rows.append({name: 1000 * spent for name, spent in seconds.items()})
    return medians(rows[1:])
