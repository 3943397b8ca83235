"""Which devices this machine has, and what a worker is told to have one of them for itself."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import Misconfigured
from app.settings import EngineSettings

ASK: Final = ("nvidia-smi", "-L")
SECONDS: Final = 30.0  #: nvidia-smi wakes sleeping GPUs first
UUID: Final = re.compile(r"UUID: ((?:GPU|MIG)-[0-9A-Fa-f-]+)")
NAMED: Final = re.compile(r"(GPU|MIG)-[0-9A-Fa-f-]{4,}")
CORES: Final = 4  #: of one CPU worker, unless IMPASTO_ENGINE__THREADS says otherwise


@dataclass(frozen=True)
class Device:
    """One worker's: a GPU or a part of one by its UUID, or some of the cores as `cpu:0`."""

    name: str
    threads: int = 0  #: of a CPU worker

    @property
    def on_cpu(self) -> bool:
        return self.name.startswith("cpu:")

    @property
    def number(self) -> int:
        """What the process calls it: a pinned one sees no other."""
        return int(self.name.partition(":")[2]) if self.on_cpu else 0

    @property
    def environment(self) -> dict[str, str]:
        """Set before the process exists: CUDA looks once, whenever it is first loaded."""
        if self.on_cpu:
            threads = {"IMPASTO_ENGINE__THREADS": str(self.threads)}
            return {"CUDA_VISIBLE_DEVICES": "", "IMPASTO_ENGINE__PROVIDER": "cpu"} | threads
        return {"CUDA_VISIBLE_DEVICES": self.name, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def chosen(
    asked: str | None, engine: EngineSettings, environment: Mapping[str, str]
) -> list[Device]:
    """
    The devices of a fleet: those `asked` for, `UUID,UUID` or `cpu:N`, else all that are visible.

    Raises `Misconfigured` where they are not there, or the settings want others.
    """
    cores = len(os.sched_getaffinity(0))
    if asked is None:
        if engine.provider == "cpu":
            return on_cores(max(1, cores // (engine.threads or CORES)), cores, engine.threads)
        return visible(gpus(), environment.get("CUDA_VISIBLE_DEVICES"))
    if asked == "cpu" or asked.startswith("cpu:"):
        amount = asked.partition(":")[2] or "1"
        if not amount.isdecimal() or not 1 <= int(amount) <= 256:
            raise Misconfigured(f"--devices {asked}: say cpu:N with N from 1 to 256.")
        return on_cores(int(amount), cores, engine.threads)
    if engine.kind == "onnx" and engine.provider == "cpu":
        raise Misconfigured(
            f"--devices {asked} names GPUs, but engines run on the CPU; set "
            "IMPASTO_ENGINE__PROVIDER=cuda or tensorrt."
        )
    return named(asked.split(","), gpus())


def on_cores(amount: int, cores: int, threads: int = 0) -> list[Device]:
    """So many CPU workers, which share the cores between them."""
    each = threads or max(1, cores // amount)
    return [Device(f"cpu:{number}", each) for number in range(amount)]


def gpus() -> list[str]:
    """UUIDs of the GPUs that the driver has, MIG parts instead of the GPUs that are cut up."""
    try:
        answer = subprocess.run(  # noqa: S603 - the argv is ours
            ASK, capture_output=True, text=True, check=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Misconfigured(
            f"No GPU can be listed, `nvidia-smi -L` failed: {error}. Install the driver, or use "
            "--devices cpu:1 and IMPASTO_ENGINE__PROVIDER=cpu."
        ) from error
    found = listed(answer.stdout)
    if not found:
        raise Misconfigured("`nvidia-smi -L` names no GPU; use --devices cpu:1, or give it one.")
    return found


def listed(text: str) -> list[str]:
    """UUIDs out of what `nvidia-smi -L` says: one line a GPU, its MIG parts indented below."""
    found: list[str] = []
    for line in text.splitlines():
        if (match := UUID.search(line)) is None:
            continue
        if match[1].startswith("MIG") and found and found[-1].startswith("GPU"):
            found.pop()  # cut up: only its parts can be used
        found.append(match[1])
    return found


def visible(found: Sequence[str], limit: str | None) -> list[Device]:
    """Of all GPUs those that CUDA_VISIBLE_DEVICES leaves, by UUID or by number."""
    if limit is None:
        return [Device(name) for name in found]
    asked = [part.strip() for part in limit.split(",") if part.strip()]
    if not asked:
        raise Misconfigured("CUDA_VISIBLE_DEVICES is empty: no GPU may be used; unset it.")
    if all(part.isdecimal() and int(part) < len(found) for part in asked):
        return [Device(found[int(part)]) for part in asked]
    return named(asked, found)


def named(asked: Sequence[str], found: Sequence[str]) -> list[Device]:
    """The GPUs meant: each a UUID or an unambiguous beginning of one, none twice."""
    devices = []
    for part in asked:
        matches = [name for name in found if name.startswith(part)]
        if not NAMED.fullmatch(part) or len(matches) != 1:
            raise Misconfigured(
                f"{part!r} is not one GPU of this machine; `nvidia-smi -L` lists "
                f"{', '.join(found)}."
            )
        devices.append(Device(matches[0]))
    if len(set(devices)) != len(devices):
        raise Misconfigured("--devices names a GPU twice; a worker wants one for itself.")
    return devices
