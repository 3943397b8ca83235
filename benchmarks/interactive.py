"""One picture for one waiting person: what the service adds to the network's own time."""

import json
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from benchmarks import pictures
from benchmarks.machine import BUSY
from benchmarks.result import Bench, Result, Round, medians, percentile, quiet
from benchmarks.system import System, running

BLOCKS: Final = 5  #: undisturbed ones
BLOCK: Final = 20  #: jobs, one after the other
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
    environment = bench.environment
    with running(bench.directory, null_engine=null_engine, environment=environment) as system:
        style = system.style
        for file in pictures.jpegs(WARM_UP, SIZE, seed=1):
            _one(system, file, style)
        blocks: list[Round] = []
        while not _enough(bench, blocks):
            blocks.append(_block(system, style, seed=2 + len(blocks)))
            bench.say(f"{name}, {len(blocks)} blocks")
    chosen = quiet(blocks)
    rows = [row for block in chosen for row in block["rows"]]
    added = [row["wall"] - row["device"] for row in rows]
    details = {
        "jobs": len(rows),
        "p50_ms": round(median(added), 2),
        "p95_ms": round(percentile(added, 95), 2),
        "stages_ms": medians(rows),
        "cpu_ms_per_job": medians([block["cpu"] for block in chosen]),
        "others_share": round(max(block["others"] for block in chosen), 3),
        "blocks": [
            {
                "p50_ms": round(median(row["wall"] - row["device"] for row in block["rows"]), 2),
                "others": round(block["others"], 3),
            }
            for block in blocks
        ],
    }
    what = f"interactive, wall less engine, p50, {name}"
    yield Result(what, median(added), "ms", "<=", must, aim, details)
    yield Result(f"the same, p95, {name}", percentile(added, 95), "ms")


def _enough(bench: Bench, blocks: list[Round]) -> bool:
    calm = [block for block in blocks if block["others"] <= BUSY]
    return len(calm) >= bench.amount(BLOCKS) or len(blocks) >= bench.amount(2 * BLOCKS)


def _block(system: System, style: str, seed: int) -> Round:
    files = list(pictures.jpegs(BLOCK, SIZE, seed=seed))
    with system.census.window() as window:
        rows = [_one(system, file, style) for file in files]
    cpu = {name: 1000 * spent / BLOCK for name, spent in window.cpu.items()}
    return {"rows": rows, "cpu": cpu, "others": window.others}


def _one(system: System, file: bytes, style: str) -> dict[str, float]:
    """Milliseconds by stage, as the client and as the service's own clocks saw them."""
    boundary = uuid4().hex
    start = perf_counter()
    _, content = system.caller.send(
        "POST",
        "/v1/jobs",
        form(boundary, file, style),
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


def form(boundary: str, file: bytes, style: str) -> bytes:
    line = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = f'{line}"style"\r\n\r\n{style}\r\n{line}"content"; filename="a.jpg"\r\n'
    return (
        f"{head}Content-Type: image/jpeg\r\n\r\n".encode()
        + file
        + f"\r\n--{boundary}--\r\n".encode()
    )
