"""Who lives on this machine: the processes of a whole Impasto, and what they are told."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path

from app.settings import Settings
from app.stack import kept
from app.stack.children import Child

#: Longer than `worker_soft_shutdown_timeout`: groups that were begun are finished.
WORKER_GRACE = 40.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an operator may choose."""

    port: int = 8000
    data: Path = Path("var/impasto")
    workers: int = 1
    null_engine: bool = False
    flower: bool = True
    optimizer: bool = False
    metrics: int | None = None  #: the first of the ports at which its processes answer scrapes
    environment: Mapping[str, str] = field(default_factory=dict)  #: for every process, on top

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Household:
    """The children of a plan; `environment` is what makes them one system."""

    def __init__(self, plan: Plan, given: Settings, database_url: str, broker_url: str) -> None:
        self.plan, self._given = plan, given
        self.data = plan.data.resolve()
        self.logs = self.data / "logs"
        self.run = self.data / "run"
        for directory in (self.logs, self.run):
            directory.mkdir(exist_ok=True)
        self.environment = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            **dict(self._ours(given)),
            **plan.environment,
        }

    @cached_property
    def flower_port(self) -> int:
        return kept.port(self.data / "flower-port")

    def children(self) -> Iterator[Child]:
        """Everybody without whom nothing is ready, except the servers."""
        yield self._api()
        for device in range(self.plan.workers):
            yield self._worker(3 + device, f"worker-{device}", "worker", "--device", str(device))
        if self.plan.optimizer or self._given.optimizer.enabled:
            yield self._worker(2, "optimizer", "optimizer")
        yield self._worker(1, "io", "io", "--beat")

    def _ours(self, given: Settings) -> Iterator[tuple[str, str]]:
        """Settings that were not given, as we need them here."""
        if "public_url" not in given.model_fields_set:
            yield "IMPASTO_PUBLIC_URL", self.plan.url
        if not given.secret_key.get_secret_value():
            yield "IMPASTO_SECRET_KEY", kept.secret(self.data / "secret-key")
        yield from self._places(given)
        if "governance" not in given.model_fields_set:
            yield "IMPASTO_GOVERNANCE__FOUR_EYES", "false"  # a machine for one person
        yield from self._workshop(given)

    def _workshop(self, given: Settings) -> Iterator[tuple[str, str]]:
        """What the plan says of those that draw."""
        if self.plan.optimizer:
            yield "IMPASTO_OPTIMIZER__ENABLED", "true"
        if self.plan.null_engine:
            yield "IMPASTO_ENGINE__KIND", "null"
        if self.plan.workers > 1 and given.engine.provider == "cpu" and not given.engine.threads:
            threads = max(1, (os.cpu_count() or 1) // self.plan.workers)
            yield "IMPASTO_ENGINE__THREADS", str(threads)

    def _places(self, given: Settings) -> Iterator[tuple[str, str]]:
        """What is kept in our directory, where nobody named another."""
        if "storage" not in given.model_fields_set:
            yield "IMPASTO_STORAGE__KIND", "local"
            yield "IMPASTO_STORAGE__ROOT", str(self.data / "assets")
        if "development" not in given.marking.model_fields_set:
            yield "IMPASTO_MARKING__DEVELOPMENT", str(self.data / "marking")

    def _told(self, number: int) -> dict[str, str]:
        """The environment of one process: each answers scrapes at a port of its own."""
        first = self.plan.metrics or self._given.metrics_port
        if first is None:
            return self.environment
        ports = {"IMPASTO_METRICS_PORT": str(first + number), "IMPASTO_METRICS_HOST": "127.0.0.1"}
        return self.environment | ports

    def _api(self) -> Child:
        return Child(
            name="api",
            argv=[sys.executable, "-m", "app.api", "--port", str(self.plan.port)],
            log=self.logs / "api.log",
            env=self._told(0),
            ready=lambda: answers(self.plan.port, "/readyz"),
            grace=15.0,
        )

    def _worker(self, number: int, name: str, *arguments: str) -> Child:
        """Makes a file when it is warm."""
        ready = self.run / f"{name}.ready"
        return Child(
            name=name,
            argv=[sys.executable, "-m", "workers", *arguments, "--ready-file", str(ready)],
            log=self.logs / f"{name}.log",
            env=self._told(number),
            prepare=lambda: ready.unlink(missing_ok=True),
            ready=ready.exists,
            ready_seconds=120.0,
            grace=WORKER_GRACE,
        )

    def flower(self) -> Child:
        """
        The console of the fleet.

        The broker's URL is in its environment, not in its arguments, which everybody may see.
        """
        options = [f"--port={self.flower_port}", "--address=127.0.0.1", "--read_only"]
        return Child(
            name="flower",
            argv=[sys.executable, "-m", "celery", "flower", *options, "--max_tasks=5000"],
            log=self.logs / "flower.log",
            env=self.environment,
            cwd=self.run,  # it reads a configuration file from where it is
            grace=5.0,
        )


def answers(port: int, path: str) -> bool:
    """Whether a GET there is answered with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
