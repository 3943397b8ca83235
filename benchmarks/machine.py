"""The machine that measures: what it is, and whether it is free to."""

import os
import platform
import signal
import sys
import time
import timeit
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

PACKAGES = ("onnxruntime", "fastapi", "uvicorn", "celery", "sqlalchemy", "psycopg2-binary")
BUSY = 0.08  #: share of the machine in other hands that spoils a measurement
LOOK = 1.0  #: seconds


def describe() -> dict[str, Any]:
    """What somebody who compares numbers must know."""
    versions = {name: _version(name) for name in ("pillow", "numpy", *PACKAGES)}
    return {
        "cpu": _model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "load_at_start": [round(load, 2) for load in os.getloadavg()],
    }


def yardstick() -> float:
    """Milliseconds of one fixed sum: clouds lend the same core at different speeds."""
    return min(timeit.repeat(lambda: sum(n * n for n in range(200_000)), number=1, repeat=9)) * 1000


def busy() -> float:
    """Which share of the machine somebody uses now."""
    return psutil.cpu_percent(LOOK) / 100


def wait_until_quiet(patience: float) -> float:
    """Wait for a machine of our own; the share others still use after so many seconds."""
    deadline = time.monotonic() + patience
    while (share := busy()) > BUSY and time.monotonic() < deadline:
        pass
    return share


@contextmanager
def paused(pids: Sequence[int]) -> Iterator[None]:
    """Other work stands still meanwhile, and goes on whatever happens here."""
    former = signal.signal(signal.SIGTERM, _leave)
    try:
        _tell(pids, signal.SIGSTOP)
        yield
    finally:
        _tell(pids, signal.SIGCONT)
        signal.signal(signal.SIGTERM, former)


def _tell(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended, which is as quiet
            os.kill(pid, number)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
