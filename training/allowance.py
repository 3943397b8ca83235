"""How much memory a program may take on this machine, so that it can refuse instead of dying."""

from pathlib import Path

SHARE = 0.8  # of what is free: others want some, too
MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
#: Limit, use and statistics of a control group, and what of its use goes when somebody needs it.
FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),  # version 2
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),  # version 1
)


def allowance(meminfo: Path = MEMINFO, groups: Path = GROUPS) -> int | None:
    """
    Bytes: most of what is free, of the machine or of the container, whichever is less.

    None where neither the kernel nor a control group tells (macOS).
    """
    known = [_free(meminfo), *(_room(groups, *names) for names in FILES)]
    least = min((bytes_ for bytes_ in known if bytes_ is not None), default=None)
    return None if least is None else int(SHARE * least)


def _free(meminfo: Path) -> int | None:
    kibibytes = _table(meminfo).get("MemAvailable:")
    return None if kibibytes is None else 1024 * kibibytes


def _room(groups: Path, limit: str, used: str, statistics: str, cache: str) -> int | None:
    try:
        limited = int((groups / limit).read_text())  # "max": no limit
        taken = int((groups / used).read_text())
    except (OSError, ValueError):
        return None
    return max(0, limited - taken + _table(groups / statistics).get(cache, 0))


def _table(path: Path) -> dict[str, int]:
    """The first two words of every line."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
