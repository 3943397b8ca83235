"""What the processes of a system took: CPU seconds and memory, by who they are."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import psutil

#: Part of the command line of those that the supervisor starts -> what we call them.
PARTS: Final = {
    "app.api": "api",
    "worker": "worker",
    "io": "io",
    "postgres": "postgres",
    "redis-server": "redis",
    "flower": "flower",
}
DECODER: Final = "workers.codec.decoder"


@dataclass
class Window:
    """What one stretch of time took."""

    wall: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)  #: CPU seconds by process
    client: float = 0.0  #: CPU seconds of the benchmark itself
    others: float = 0.0  #: share of the machine that went to anybody else

    @property
    def total(self) -> float:
        return sum(self.cpu.values())

    def others_but(self, its: "Window") -> float:
        """The share that went to strangers, where another census counted `its` meanwhile."""
        return max(0.0, self.others - its.total / (self.wall * (psutil.cpu_count() or 1)))


class Census:
    """Counts a supervisor and all that live below it, also those that ended meanwhile."""

    def __init__(self, supervisor: int) -> None:
        self._root = psutil.Process(supervisor)

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Filled in when the block ends."""
        window = Window()
        cpu, client, busy, start = self.cpu(), _client(), _machine(), perf_counter()
        yield window
        window.wall = perf_counter() - start
        window.cpu = {name: now - cpu.get(name, 0.0) for name, now in self.cpu().items()}
        window.client = _client() - client
        strangers = _machine() - busy - window.total - window.client
        window.others = max(0.0, strangers / (window.wall * (psutil.cpu_count() or 1)))

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far; a process that ended was added to its parent by the kernel."""
        seconds: defaultdict[str, float] = defaultdict(float)
        for name, process in self._everybody():
            times = process.cpu_times()
            seconds[name] += times.user + times.system
            seconds[name] += times.children_user + times.children_system
        return seconds

    def memory(self) -> Counter[str]:
        """Resident bytes; shared pages count for everybody who maps them."""
        resident: Counter[str] = Counter()
        for name, process in self._everybody():
            resident[name] += process.memory_info().rss
        return resident

    def find(self, name: str) -> psutil.Process:
        """The process of that part which the supervisor started."""
        return next(child for child in self._root.children() if _part(child) == name)

    def _everybody(self) -> Iterator[tuple[str, psutil.Process]]:
        yield "supervisor", self._root
        for part in self._root.children():
            name = _part(part)
            yield name, part
            for descendant in part.children(recursive=True):
                decoder = DECODER in descendant.cmdline()
                yield "decoders" if decoder else name, descendant


def _part(process: psutil.Process) -> str:
    argv = process.cmdline()
    words = {argv[0].rsplit("/", 1)[-1], *argv[1:5]}
    return next((name for word, name in PARTS.items() if word in words), "other")


def _client() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def _machine() -> float:
    """CPU seconds of everybody on this machine, and those a hypervisor kept from us."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guests are counted in user, too.
    twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - twice)
