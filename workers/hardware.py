"""What a worker runs on, for the records of what it made."""

import csv
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Final

from app.errors import EngineUnavailable
from workers import cuda

CPUINFO: Final = Path("/proc/cpuinfo")
ASK: Final = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
SECONDS: Final = 20.0  #: nvidia-smi wakes a sleeping GPU first


def model(device: str) -> str | None:
    """
    The model of a device named as engines do (`cpu:0`, `cuda:1`); None where nobody tells.

    Of a GPU with its driver, as nvidia-smi has them. It counts GPUs in another order than CUDA may,
    so where it sees different ones, all of them are named.
    """
    return _gpus() if device.startswith("cuda") else _cpu()


def identity(device: str, environment: Mapping[str, str]) -> str:
    """What stays the same when a worker starts again: of a pinned GPU its UUID, not its number."""
    kind, _, number = device.partition(":")
    visible = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if kind == "cuda" and int(number) < len(visible) and visible[int(number)]:
        return visible[int(number)]
    return device


def expected(device: str, environment: Mapping[str, str]) -> None:
    """
    Assert that a worker on this device (`cpu:0`, or a GPU's UUID) has it, and no other.

    Before any library of CUDA is loaded: it is asked of the driver. Raises `EngineUnavailable`.
    """
    if device.startswith("cpu:"):
        return
    found = cuda.uuid(0)
    if not cuda.same(found, device):
        visible = environment.get("CUDA_VISIBLE_DEVICES")
        raise EngineUnavailable(
            f"this worker is meant for {device} and has {found} (CUDA_VISIBLE_DEVICES={visible})"
        )


def peak_bytes() -> int:
    """The most memory that this process has had so far; its decoders have their own."""
    return getrusage(RUSAGE_SELF).ru_maxrss * 1024


def _cpu() -> str | None:
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine() or None)


def _gpus() -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - the argv is ours
            ASK, capture_output=True, text=True, check=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    rows = csv.reader(answer.stdout.splitlines(), skipinitialspace=True)
    named = dict.fromkeys(f"{row[0]}, driver {row[1]}" for row in rows if len(row) == 2)
    return "; ".join(named) or None
