"""One picture for one waiting person: what the service adds to the network's own time."""

import json
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from benchmarks import pictures
from benchmarks.result import Bench, Result, medians, percentile
from benchmarks.system import System, running

JOBS: Final = 120
WARM_UP: Final = 10
SIZE: Final = (512, 512)


def interactive(bench: Bench) -> Iterator[Result]:
    """Wall time of `POST /v1/jobs` with `Prefer: wait`, less the time in the engine."""
    yield from _measure(bench, "real stylizer", null_engine=False, must=40.0, aim=15.0)
    yield from _measure(bench, "null engine", null_engine=True)


def _measure(
    bench: Bench,
    name: str,
    *,
    null_engine: bool,
    must: float | None = None,
    aim: float | None = None,
) -> Iterator[Result]:
    jobs = bench.amount(JOBS, least=20)
    environment = bench.environment
    with running(bench.directory, null_engine=null_engine, environment=environment) as system:
        style = system.style
        files = list(pictures.jpegs(jobs + WARM_UP, SIZE))
        for file in files[:WARM_UP]:
            _one(system, file, style)
        with system.census.window() as window:
            rows = [_one(system, file, style) for file in files[WARM_UP:]]
    added = [row["wall"] - row["device"] for row in rows]
    details = {
        "jobs": jobs,
        "p50_ms": round(median(added), 2),
        "p95_ms": round(percentile(added, 95), 2),
        "stages_ms": medians(rows),
        "cpu_ms_per_job": round(1000 * window.total / jobs, 2),
        "others_share": round(window.others, 3),
    }
    bench.say(f"{name}: {details}")
    what = f"interactive, wall less engine, p50, {name}"
    yield Result(what, median(added), "ms", "<=", must, aim, details)
    yield Result(f"the same, p95, {name}", percentile(added, 95), "ms")


def _one(system: System, file: bytes, style: str) -> dict[str, float]:
    """Milliseconds by stage, as the client and as the service's own clocks saw them."""
    boundary = uuid4().hex
    start = perf_counter()
    _, content = system.caller.send(
        "POST",
        "/v1/jobs",
        _form(boundary, file, style),
        Content_Type=f"multipart/form-data; boundary={boundary}",
        Prefer="wait=30",
    )
    wall = 1000 * (perf_counter() - start)
    job: dict[str, Any] = json.loads(content)
    if job["status"] != "succeeded":
        raise SystemExit(f"a job ended {job['status']}: {job['error']}")
    created, started, finished = (
        datetime.fromisoformat(job[f"{word}_at"]) for word in ("created", "started", "finished")
    )
    queued = 1000 * (started - created).total_seconds()
    held = 1000 * (finished - started).total_seconds()
    return {
        "wall": wall,
        "created to claimed": queued,
        "claimed to settled": held,
        "http around both": wall - queued - held,
        **job["timings"],
    }


def _form(boundary: str, file: bytes, style: str) -> bytes:
    line = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = f'{line}"style"\r\n\r\n{style}\r\n{line}"content"; filename="a.jpg"\r\n'
    return (
        f"{head}Content-Type: image/jpeg\r\n\r\n".encode()
        + file
        + f"\r\n--{boundary}--\r\n".encode()
    )
