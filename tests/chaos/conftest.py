"""Seeds, sizes, deadlines, and the table at the end."""

import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import pytest

from tests.chaos.checker import Verdict, check
from tests.chaos.rig import ROOT, Plan, Rig
from tests.chaos.stage import Fault, Stage, evidence, stage
from tests.chaos.watch import hits, recovery

SEED = int(os.environ.get("IMPASTO_CHAOS_SEED", 0)) or secrets.randbelow(2**31)
SCALE = float(os.environ.get("IMPASTO_CHAOS_JOBS", 10_000)) / 10_000
LINES: list["Line"] = []
REPORT = ROOT / "var" / "chaos" / "report.json"


@dataclass(frozen=True)
class Line:
    """What one run showed: a row of the table."""

    test: str
    jobs: int
    faults: int
    hit: int  #: jobs that a killed or frozen worker held
    rerun: int  #: attempts beyond the first: work done again, not effects
    lost: int
    doubled: int
    p50: float  #: seconds from a killed process being back until a job it held is claimed again
    max: float
    back: float  #: longest time from everybody being back until work went on, or had ended
    seconds: float
    findings: str


@pytest.fixture(autouse=True)
def deadline(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ten minutes, or what `@pytest.mark.deadline` says; then the test fails and cleans up."""
    marker = request.node.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else 600

    def late(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"the test took more than {seconds} s")

    former = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


@pytest.fixture
def seed() -> int:
    """The seed of this session."""
    return SEED


@dataclass(frozen=True)
class Arena:
    """Where faults are tried out."""

    directory: Path
    name: str

    def run(
        self,
        fault: Fault,
        *,
        jobs: int,
        rounds: int,
        plan: Plan | None = None,
        scale: bool = True,
        rest: float = 60.0,
    ) -> tuple[Verdict, Stage]:
        """
        One fault on a fresh rig, judged when everything has come to rest.

        After `rest` seconds, whoever still waits is a finding.
        """
        jobs = max(rounds, int(jobs * SCALE)) if scale else jobs
        start = time.monotonic()
        with Rig(self.directory, SEED, plan) as rig, stage(rig, jobs, rounds) as on:
            trouble = _trouble(fault, on)
            _settle(rig, rest)
            verdict = check(evidence(rig, on.watch))
            self._note(on, verdict, time.monotonic() - start)
        if trouble is not None and not verdict.findings:
            raise trouble  # the fault did not happen as it should, and nothing else is wrong
        if not verdict.findings:
            shutil.rmtree(self.directory)  # tens of megabytes each; after a finding they tell more
        return verdict, on

    def _note(self, on: Stage, verdict: Verdict, seconds: float) -> None:
        rig = on.rig
        waits = recovery(rig.sessions, rig.keeper.lives)
        LINES.append(
            Line(
                test=self.name,
                jobs=rig.journal.accepted_jobs,
                faults=on.faults,
                hit=len(hits(rig.sessions)),
                rerun=int(
                    rig.scalar("SELECT coalesce(sum(attempt - 1), 0) FROM jobs WHERE attempt > 1")
                ),
                lost=verdict.lost,
                doubled=verdict.doubled,
                p50=round(waits.p50, 2),
                max=round(waits.max, 2),
                back=round(max(on.noted, default=0.0), 2),
                seconds=round(seconds, 1),
                findings=str(verdict) if verdict.findings else "",
            )
        )
        on.waits = waits
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        found = {"seed": SEED, "runs": [asdict(line) for line in LINES]}
        REPORT.write_text(json.dumps(found, indent=1))


def _trouble(fault: Fault, on: Stage) -> AssertionError | None:
    try:
        fault(on)
    except AssertionError as error:
        return error
    return None


def _settle(rig: Rig, seconds: float) -> None:
    try:
        rig.settle(seconds)
    except AssertionError as error:
        print(error)  # noqa: T201 - the checker says who is not at rest


@pytest.fixture
def arena(tmp_path: Path, request: pytest.FixtureRequest) -> Arena:
    """A place for rigs, under the name of the test."""
    return Arena(tmp_path, request.node.name)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deadline(seconds): how long a test may take in all")


def pytest_report_header() -> str:
    return f"chaos: IMPASTO_CHAOS_SEED={SEED} IMPASTO_CHAOS_JOBS={10_000 * SCALE:.0f}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not LINES:
        return
    write = terminalreporter.write_line
    write(f"chaos, seed {SEED}; recovery in seconds from the broken process being back")
    head = ("jobs", "faults", "hit", "rerun", "lost", "doubled", "p50", "max", "back", "seconds")
    write(f"{'test':58}" + "".join(f"{word:>8}" for word in head))
    for line in LINES:
        values = [getattr(line, word) for word in head]
        write(f"{line.test:58}" + "".join(f"{value:>8}" for value in values))
    write(f"written to {REPORT}")
