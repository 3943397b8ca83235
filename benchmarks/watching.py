"""What watching costs: one poll with a matching ETag, and what 10,000 pollers take from work."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from statistics import median
from time import sleep
from typing import Final

from benchmarks import pictures
from benchmarks.pollers import Pollers, Watched
from benchmarks.result import Bench, Result, Round, medians, quiet
from benchmarks.system import System, running

POLLERS: Final = 10_000
EVERY: Final = 30.0  #: seconds between two polls of those that do not hear `Retry-After`
WATCHED: Final = 1_000  #: jobs that they watch
JOBS: Final = 1_000
ROUNDS: Final = 5
SECONDS: Final = 15.0  #: of polling, to see what a poll costs

Crowd = AbstractContextManager[Pollers | None]
ALONE, TOLD, FIXED = "alone", "as told", "fixed"


def watching(bench: Bench) -> Iterator[Result]:
    """CPU of every process for a 304, and throughput with and without idle pollers."""
    with running(bench.directory, null_engine=True, environment=bench.environment) as system:
        bench.say("uploading")
        uploads = system.caller.upload_all(pictures.jpegs(JOBS, (64, 64)))
        watched = _waiting(system, uploads[:WATCHED])
        yield _poll(bench, system, watched)
        crowds: dict[str, Callable[[], Crowd]] = {
            ALONE: lambda: nullcontext(None),
            TOLD: lambda: Pollers(system.caller, watched, POLLERS, None),
            FIXED: lambda: Pollers(system.caller, watched, POLLERS, EVERY),
        }
        _round(system, uploads, nullcontext(None))  # warm
        rounds: dict[str, list[Round]] = {name: [] for name in crowds}
        for number in range(bench.amount(ROUNDS, least=3)):
            for name, crowd in crowds.items():
                bench.say(f"round {number + 1}, {name}")
                rounds[name].append(_round(system, uploads, crowd()))
        for name in (TOLD, FIXED):
            yield _compared(name, rounds)


def _waiting(system: System, uploads: list[str]) -> list[Watched]:
    """Jobs that wait for their owner: what somebody watches who is idle for long."""
    campaign = system.caller.campaign(uploads, system.style, priority=-10)
    system.caller.post(f"/v1/campaigns/{campaign}/pause", {})
    jobs, cursor = [], ""
    while True:
        page = system.caller.get(f"/v1/campaigns/{campaign}/items?limit=200{cursor}")
        jobs += [f"/v1/jobs/{job['id']}" for job in page["data"] if job["status"] == "queued"]
        if not page["has_more"]:
            return [Watched(place, _etag(system, place)) for place in jobs]
        cursor = f"&cursor={page['next_cursor']}"


def _etag(system: System, place: str) -> str:
    return str(system.caller.send("GET", place)[0].getheader("ETag"))


def _poll(bench: Bench, system: System, watched: list[Watched]) -> Result:
    """At the pace of ten thousand who ask once a minute, less what the system takes idle."""
    seconds = SECONDS * min(1.0, max(0.3, bench.scale))
    with system.census.window() as idle:
        sleep(seconds)
    with Pollers(system.caller, watched, POLLERS, 60.0) as pollers:
        sleep(1.0)
        before = pollers.answered
        with system.census.window() as window:
            sleep(seconds)
        polls = pollers.answered - before
    spent = {
        name: round(1000 * (cpu - idle.cpu[name] * window.wall / idle.wall) / polls, 3)
        for name, cpu in window.cpu.items()
    }
    details = {
        "polls": polls,
        "cpu_ms": spent,
        "client_cpu_ms": round(1000 * window.client / polls, 3),
        "others_share": round(window.others, 3),
    }
    each = spent["api"] + spent["postgres"] + spent["redis"]
    return Result("CPU of a status GET that answers 304", each, "ms", "<=", 2.0, 0.5, details)


def _round(
    system: System, uploads: list[str], crowd: AbstractContextManager[Pollers | None]
) -> Round:
    """A campaign from its acceptance to its end, by the service's own clock."""
    with crowd as pollers, system.census.window() as window:
        [campaign] = system.caller.finish([system.caller.campaign(uploads, system.style)])
    created, finished = (
        datetime.fromisoformat(campaign[f"{word}_at"]) for word in ("created", "finished")
    )
    found: Round = {
        "seconds": (finished - created).total_seconds(),
        "others": window.others,
        "cpu": {**window.cpu, "client": window.client},
    }
    if pollers is not None:
        found |= {"polls": pollers.answered, "asked": sorted(pollers.asked)}
    return found


def _compared(name: str, rounds: dict[str, list[Round]]) -> Result:
    chosen = {kind: quiet(rounds[kind]) for kind in (ALONE, name)}
    alone, beside = (median(one["seconds"] for one in its) for its in chosen.values())
    details = {
        "pollers": POLLERS,
        "retry_after_s": sorted({after for one in rounds[name] for after in one["asked"]}),
        "polls_per_s": round(median(one["polls"] / one["seconds"] for one in rounds[name]), 1),
        "alone_s": [round(one["seconds"], 3) for one in rounds[ALONE]],
        "beside_s": [round(one["seconds"], 3) for one in rounds[name]],
        "cpu_s": {kind: medians([one["cpu"] for one in its]) for kind, its in chosen.items()},
        "others_share": round(max(one["others"] for its in chosen.values() for one in its), 3),
    }
    how = "when Retry-After says" if name == TOLD else f"once in {EVERY:.0f} s"
    must = 0.95 if name == TOLD else None
    what = f"throughput beside 10,000 idle pollers, {how}"
    return Result(what, alone / beside, "x", ">=", must, 0.95, details)
