"""Workers that a benchmark starts by itself, as many as it wants to compare."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from app.stack.children import Child, Running
from benchmarks.census import Census
from benchmarks.system import ROOT, System


class Crew:
    """So many workers of a system, ready; `census` counts them and their decoders."""

    def __init__(self, children: list[Running]) -> None:
        self.census = Census(os.getpid())
        self.amount = len(children)
        self._processes = [psutil.Process(child.pid) for child in children]

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """They wait meanwhile, so that work can be handed in before its clock starts."""
        for process in self._processes:
            process.suspend()
        try:
            yield
        finally:
            for process in self._processes:
                process.resume()


@contextmanager
def crew(system: System, amount: int, **settings: str) -> Iterator[Crew]:
    """Start them beside the system's own; each ends by itself on leaving."""
    with ExitStack() as stack:
        children = []
        for number in range(amount):
            child = Running(_worker(system, number, settings))
            stack.callback(child.end)
            children.append(child)
        for child in children:
            child.wait_ready()
        yield Crew(children)


def _worker(system: System, number: int, settings: dict[str, str]) -> Child:
    name = f"crew-{number}"
    ready = system.data / f"{name}.ready"
    arguments = ["worker", "--device", str(number), "--ready-file", str(ready)]
    ours = {name: text for name, text in system.environment.items() if _is_ours(name)}
    return Child(
        name=name,
        argv=[sys.executable, "-m", "workers", *arguments],
        log=system.data / "logs" / f"{name}.log",
        env={**ours, "PYTHONPATH": str(ROOT), **settings},
        cwd=system.data,
        prepare=lambda: ready.unlink(missing_ok=True),
        ready=ready.exists,
        ready_seconds=120.0,
        grace=60.0,
    )


def _is_ours(name: str) -> bool:
    return name.startswith(("IMPASTO_", "DATABASE_URL", "BROKER_URL"))
