"""Whether workers get in each other's way: what a job costs with one, two and four of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Final
from uuid import UUID

from sqlalchemy import text

from benchmarks import pictures
from benchmarks.crew import Crew, crew
from benchmarks.result import Bench, Result, Round, medians, quiet
from benchmarks.system import System, running

CREWS: Final = (1, 2, 4)
JOBS: Final = 3_200
CAMPAIGN: Final = 800  #: items of one request
SIZE: Final = (64, 64)
ROUNDS: Final = 3
WARM_UP: Final = 256  #: for each worker
GROWTH: Final = 1.15  #: what a job may cost with four workers, of what it costs with one
#: Of one batch of eight. Four workers then take less than half of two cores, as they would on
#: machines of their own; with 0 they fight for them.
DEVICE_MS: Final = {"a device of 40 ms a batch": 40.0, "cores saturated": 0.0}


def scale(bench: Bench) -> Iterator[Result]:
    """CPU of workers, io, Postgres and Redis per job, and jobs a second, by number of workers."""
    environment = {"IMPASTO_MARKING__ENABLED": "false", **bench.environment}
    jobs = bench.amount(JOBS, least=CAMPAIGN)
    with running(bench.directory, null_engine=True, environment=environment, workers=0) as system:
        bench.say("uploading")
        uploads = system.caller.upload_all(pictures.jpegs(jobs, SIZE))
        for name, device_ms in DEVICE_MS.items():
            rounds: dict[int, list[Round]] = {amount: [] for amount in CREWS}
            for number in range(bench.amount(ROUNDS)):
                # There and back: a table that grows and a machine that slows favour nobody.
                for amount in CREWS if number % 2 == 0 else reversed(CREWS):
                    bench.say(f"{name}: round {number + 1}, {amount} workers")
                    with crew(system, amount, IMPASTO_ENGINE__NULL_MS=str(device_ms)) as its:
                        rounds[amount].append(_round(system, its, uploads))
            yield from _told(name, jobs, rounds)


def _round(system: System, its: Crew, uploads: list[str]) -> Round:
    """Work that is all there when the clock starts; all of it is drawn anew."""
    style = system.style
    system.caller.finish(
        [system.caller.campaign(uploads[:WARM_UP], style) for _ in range(its.amount)]
    )
    with its.standing_still():
        campaigns = [
            system.caller.campaign(uploads[start : start + CAMPAIGN], style)
            for start in range(0, len(uploads), CAMPAIGN)
        ]
    with system.census.window() as servers, its.census.window() as workers:
        start = datetime.now(UTC)
        ended = system.caller.finish(campaigns)
    end = max(datetime.fromisoformat(one["finished_at"]) for one in ended)
    cpu = {
        **{name: servers.cpu[name] for name in ("postgres", "redis", "io")},
        **{name: workers.cpu.get(name, 0.0) for name in ("worker", "decoders")},
    }
    spent = sum(cpu.values())
    return {
        "ms": 1000 * spent / len(uploads),
        "claims": _claims(system, campaigns),
        "cpu": {name: 1000 * seconds / len(uploads) for name, seconds in cpu.items()},
        "rate": len(uploads) / (end - start).total_seconds(),
        "others": servers.others_but(workers),
    }


def _claims(system: System, campaigns: list[str]) -> int:
    statement = text("SELECT count(DISTINCT started_at) FROM jobs WHERE campaign_id = ANY(:ids)")
    with system.sessions() as session:
        return int(session.scalar(statement, {"ids": [UUID(one) for one in campaigns]}) or 0)


def _told(name: str, jobs: int, rounds: dict[int, list[Round]]) -> Iterator[Result]:
    chosen = {amount: quiet(its) for amount, its in rounds.items()}
    cost = {amount: median(one["ms"] for one in its) for amount, its in chosen.items()}
    rate = {amount: median(one["rate"] for one in its) for amount, its in chosen.items()}
    details = {
        "jobs_a_round": jobs,
        "cpu_ms_per_job": {amount: round(ms, 3) for amount, ms in cost.items()},
        "by_process": {amount: medians([r["cpu"] for r in its]) for amount, its in chosen.items()},
        "jobs_per_s": {amount: round(found, 1) for amount, found in rate.items()},
        "claims": {amount: [one["claims"] for one in its] for amount, its in rounds.items()},
        "rounds_ms": {n: [round(one["ms"], 3) for one in its] for n, its in rounds.items()},
        "others_share": {n: [round(one["others"], 3) for one in its] for n, its in rounds.items()},
    }
    most = max(CREWS)
    growth = cost[most] / cost[1]
    yield Result(
        f"CPU per job, four workers / one, {name}", growth, "x", "<=", GROWTH, 1.0, details
    )
    yield Result(f"jobs a second, four workers / one, {name}", rate[most] / rate[1], "x", ">=")
