"""Webhooks out of one io worker to a receiver that answers at once, and what HTTP alone takes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from signal import sigtimedwait
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final
from uuid import UUID

import httpcore2
from sqlalchemy import text

from app.queue import CeleryTickets, open_queue
from app.settings import Settings
from benchmarks.result import Bench, Result, Round, quiet
from benchmarks.system import System, running

WEBHOOKS: Final = 10_000
BARE: Final = 2_000
ROUNDS: Final = 3
THREADS: Final = 32  #: as many as the io worker sends with to one receiver
PATIENCE: Final = 120.0  #: seconds

#: As a campaign's settlement writes them, but all at once.
FILL = text("""
WITH event AS (
    INSERT INTO events (id, tenant_id, type, sequence, data)
    SELECT gen_random_uuid(), tenant_id, 'job.succeeded', 3, CAST(:data AS jsonb)
    FROM webhook_endpoints, generate_series(1, :amount) WHERE webhook_endpoints.id = :endpoint
    RETURNING id, tenant_id
)
INSERT INTO deliveries (id, event_id, tenant_id, endpoint_id, receiver_id, url)
SELECT gen_random_uuid(), event.id, event.tenant_id, endpoint.id, endpoint.id, endpoint.url
FROM event JOIN webhook_endpoints AS endpoint ON endpoint.id = :endpoint
""")
DATA: Final = {
    "job_id": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e",
    "campaign_id": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4f",
    "custom_id": "4711",
    "status": "succeeded",
    "attempt": 1,
    "asset_id": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "cost_micros": 274,
}
SEEN = text("""
SELECT count(*) FILTER (WHERE state = 'pending') AS waiting,
    extract(epoch FROM max(delivered_at) - min(attempted_at)) AS seconds
FROM deliveries WHERE endpoint_id = :endpoint AND created_at >= :since
""")


def webhooks(bench: Bench) -> Iterator[Result]:
    """A pile of deliveries, sent by one io worker; beside it the same requests in a bare loop."""
    amount = bench.amount(WEBHOOKS, least=500)
    environment = {**bench.environment, "IMPASTO_WEBHOOKS__ALLOW_PRIVATE": "true"}
    with (
        receiving() as url,
        running(bench.directory, null_engine=True, environment=environment) as system,
    ):
        endpoint = UUID(system.caller.post("/v1/webhook-endpoints", {"url": url})["id"])
        _send(system, endpoint, bench.amount(500, least=100))
        rounds = []
        for number in range(bench.amount(ROUNDS)):
            bench.say(f"round {number + 1}")
            rate, cpu_ms = bare(url, bench.amount(BARE, least=200))
            sent = _send(system, endpoint, amount)
            rounds.append(sent | {"bare_rate": rate, "bare_cpu_ms": cpu_ms})
    best = quiet(rounds, least=1)
    rate = median(one["rate"] for one in best)
    details = {"webhooks": amount, "rounds": rounds}
    yield Result("webhooks out of one io worker", rate, "1/s", ">=", aim=1_000.0, details=details)
    ratio = median(one["rate"] / one["bare_rate"] for one in best)
    yield Result(f"of what {THREADS} threads with the bare HTTP client send", ratio, "")
    cpu = median(one["cpu_ms"]["io"] for one in best)
    yield Result("CPU of the io worker per webhook", cpu, "ms")
    times = median(one["cpu_ms"]["io"] / one["bare_cpu_ms"] for one in best)
    yield Result("times the CPU of a request with the bare HTTP client", times, "")


@contextmanager
def receiving() -> Iterator[str]:
    """The URL of a receiver in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.quick_receiver"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/hooks"
        finally:
            process.terminate()


def _send(system: System, endpoint: UUID, amount: int) -> Round:
    tickets = CeleryTickets(open_queue(Settings(broker_url=system.environment["BROKER_URL"])))
    with system.sessions.begin() as session:
        since = session.scalar(text("SELECT now()"))
        given = {"amount": amount, "endpoint": str(endpoint), "data": json.dumps(DATA)}
        session.execute(FILL, given)
    with system.census.window() as window:
        tickets.deliver()
        row = _wait(system, endpoint, since)
    return {
        "rate": amount / float(row.seconds),
        "others": window.others,
        "cpu_ms": {name: 1000 * cpu / amount for name, cpu in window.cpu.items()},
    }


def _wait(system: System, endpoint: UUID, since: Any) -> Any:
    deadline = perf_counter() + PATIENCE
    while perf_counter() < deadline:
        with system.sessions() as session:
            row = session.execute(SEEN, {"endpoint": str(endpoint), "since": since}).one()
        if not row.waiting:
            return row
        sigtimedwait([], 0.2)
    raise TimeoutError(f"{row.waiting} webhooks are not out after {PATIENCE:.0f} s")


def bare(url: str, amount: int, threads: int = THREADS) -> tuple[float, float]:
    """Requests a second, and CPU ms of each, with the client below ours: no signing, no rows."""
    body = json.dumps({"type": "job.succeeded", "data": DATA}).encode()
    headers = [("content-type", "application/json"), ("user-agent", "impasto")]

    def post(_: int) -> None:
        pool.request("POST", url, headers=headers, content=body)

    with (
        httpcore2.ConnectionPool(max_connections=threads) as pool,
        ThreadPoolExecutor(threads) as senders,
    ):
        list(senders.map(post, range(threads)))
        start, cpu = perf_counter(), process_time()
        list(senders.map(post, range(amount)))
        return amount / (perf_counter() - start), 1000 * (process_time() - cpu) / amount
