"""What everything around the network costs: a campaign through an engine that draws nothing."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from redis import Redis
from sqlalchemy import text

from benchmarks import pictures
from benchmarks.census import Window
from benchmarks.machine import BUSY
from benchmarks.result import Bench, Result, Round, quiet
from benchmarks.system import System, running

JOBS: Final = 5_000
CAMPAIGN: Final = 1_000  #: items of one request
SIZE: Final = (64, 64)
WARM_UP: Final = 128
ROUNDS: Final = 3  #: at most, while others use the machine
COUNTED: Final = 1_000  #: jobs of the campaign whose statements are counted


def overhead(bench: Bench) -> Iterator[Result]:
    """CPU seconds of all processes per job; uploads apart, and in."""
    jobs = bench.amount(JOBS, least=CAMPAIGN)
    # What marking adds is measured by itself (`marking`): most of a job with so small a picture.
    environment = {"IMPASTO_MARKING__ENABLED": "false", **bench.environment}
    with running(bench.directory, null_engine=True, environment=environment) as system:
        _through(system, list(pictures.jpegs(WARM_UP, SIZE, seed=1)))
        with system.census.window() as idle:
            signal.sigtimedwait([], 3)
        uploads, upload = _upload(bench, system, jobs)
        rounds = [_round(bench, system, uploads, quality=90)]
        while rounds[-1]["others"] > BUSY and len(rounds) < bench.amount(ROUNDS):
            # Another quality makes other outputs: nothing is stored already.
            rounds.append(_round(bench, system, uploads, quality=90 - len(rounds)))
        statements = _statements(system, uploads[:COUNTED])
    best = quiet(rounds, least=1)[0]
    per_job = 1000 * (best["accept"].total + best["work"].total) / jobs
    phases = {"upload": upload, "accept": best["accept"], "work": best["work"]}
    details = {
        "jobs": jobs,
        "ms_per_job": {phase: _by_process(window, jobs) for phase, window in phases.items()},
        "client_ms_per_job": {p: round(1000 * w.client / jobs, 3) for p, w in phases.items()},
        "others_share": {phase: round(window.others, 3) for phase, window in phases.items()},
        "uploads_per_s": round(jobs / upload.wall, 1),
        "idle_cpu_share": round(idle.total / idle.wall, 4),
        "rounds": [
            {"ms": 1000 * (one["accept"].total + one["work"].total) / jobs, "others": one["others"]}
            for one in rounds
        ],
        **best["counted"],
        "statements_per_job": statements,
    }
    yield Result("overhead per job", per_job, "ms CPU", "<=", 3.0, 1.0, details)
    with_uploads = per_job + 1000 * upload.total / jobs
    yield Result("overhead per job, its upload included", with_uploads, "ms CPU")
    yield Result("pictures a second, null engine", best["rate"], "1/s", ">=")


def _round(bench: Bench, system: System, uploads: list[str], quality: int) -> Round:
    """One campaign of all of them, accepted and then worked off."""
    jobs = len(uploads)
    _redis(system).config_resetstat()
    before = _written(system)
    campaigns, accept = _accept(system, uploads, quality)
    start = datetime.now(UTC)
    work, end = _work(bench, system, campaigns)
    written = _written(system) - before
    return {
        "accept": accept,
        "work": work,
        "others": max(accept.others, work.others),
        "rate": jobs / (end - start).total_seconds(),
        "counted": {
            "wal_kb_per_job": round(written / jobs / 1024, 2),
            "redis_commands": _commands(system),
            "groups": _groups(system),
        },
    }


def _through(system: System, files: list[bytes]) -> None:
    uploads = system.caller.upload_all(files)
    system.caller.finish([system.caller.campaign(uploads, system.style)])


def _upload(bench: Bench, system: System, jobs: int) -> tuple[list[str], Window]:
    bench.say(f"drawing {jobs} pictures")
    files = list(pictures.jpegs(jobs, SIZE))
    bench.say(f"uploading {jobs} pictures")
    with system.census.window() as window:
        uploads = system.caller.upload_all(files)
    return uploads, window


def _accept(system: System, uploads: list[str], quality: int) -> tuple[list[str], Window]:
    """Hand all in while the worker stands still: so we know what accepting alone takes."""
    style = system.style
    with system.standing_still(), system.census.window() as window:
        campaigns = [
            system.caller.campaign(
                uploads[start : start + CAMPAIGN], style, output={"quality": quality}
            )
            for start in range(0, len(uploads), CAMPAIGN)
        ]
    return campaigns, window


def _work(bench: Bench, system: System, campaigns: list[str]) -> tuple[Window, datetime]:
    with system.census.window() as window:
        ended = system.caller.finish(campaigns, lambda done: bench.say(f"{done} pictures done"))
    return window, max(datetime.fromisoformat(one["finished_at"]) for one in ended)


def _by_process(window: Window, jobs: int) -> dict[str, float]:
    shares = {name: round(1000 * cpu / jobs, 3) for name, cpu in window.cpu.items()}
    return {"all": round(1000 * window.total / jobs, 3), **shares}


def _written(system: System) -> int:
    """Bytes of the log that Postgres has written."""
    with system.sessions() as session:
        return int(session.scalar(text("SELECT pg_current_wal_lsn() - '0/0'")) or 0)


def _groups(system: System) -> dict[str, float]:
    """How many jobs shared a claim, a transaction and a storage write; and an engine call."""
    statement = text("""
        SELECT count(*) AS groups, avg(jobs) AS mean, max(jobs) AS largest,
            (SELECT avg(batch_size) FROM inferences) AS batch
        FROM (SELECT count(*) AS jobs FROM jobs WHERE campaign_id IS NOT NULL
              GROUP BY started_at) AS one
    """)
    with system.sessions() as session:
        row = session.execute(statement).one()
    return {
        "claims": row.groups,
        "mean_jobs": round(float(row.mean), 1),
        "largest": row.largest,
        "mean_batch": round(float(row.batch), 1),
    }


def _redis(system: System) -> Redis:
    return Redis.from_url(system.environment["BROKER_URL"])


def _commands(system: System) -> dict[str, int]:
    """What Redis was asked between acceptance and end, in all."""
    stats: Any = _redis(system).info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    return dict(sorted(calls.items(), key=lambda pair: -pair[1])[:12])


def _statements(system: System, uploads: list[str]) -> dict[str, float]:
    """The server's log tells; it costs time, so this is a campaign of its own."""
    log = system.data / "postgres" / "postgres.log"
    with _logging(system):
        size = log.stat().st_size
        system.caller.finish([system.caller.campaign(uploads, system.style)])
    seen = _logged(log, size)
    shares = {word: round(times / len(uploads), 3) for word, times in seen.most_common()}
    return {"all": round(seen.total() / len(uploads), 3), **shares}


@contextmanager
def _logging(system: System) -> Iterator[None]:
    _configure(system, "ALTER SYSTEM SET log_statement = 'all'")
    try:
        yield
    finally:
        _configure(system, "ALTER SYSTEM RESET log_statement")


def _configure(system: System, statement: str) -> None:
    engine = system.sessions.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
        connection.execute(text("SELECT pg_reload_conf()"))


def _logged(log: Path, start: int) -> Counter[str]:
    """Statements by their first word."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.partition(b"LOG:  statement: ")[2] for line in file]
    return Counter(line.split(None, 1)[0].decode() for line in lines if line.strip())
