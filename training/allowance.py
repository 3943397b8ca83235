"""How much memory a program may take on this machine, so that it can refuse instead of dying."""

from pathlib import Path

SHARE = 0.8  # of what is free: others want some, too
MEMINFO = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def allowance(meminfo: Path = MEMINFO, group: Path = GROUP) -> int:
    """Bytes: most of what is free, of the machine or of the container, whichever is less."""
    return int(SHARE * min([_free(meminfo), *_container(group)]))


def _free(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{meminfo} says nothing of MemAvailable")


def _container(group: Path) -> list[int]:
    """What is left below the limit of a version 2 control group; nothing where there is none."""
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no such group, or no limit: "max"
        return []
    return [max(0, limit - used)]
