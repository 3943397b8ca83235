"""`impasto fleet` as somebody types it: real workers, one killed, all drained."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.system import GIVEN, IMPASTO, until


class Fleet:
    """Two null workers on the cores of this machine."""

    def __init__(self, data: Path, database_url: str, redis_url: str) -> None:
        self.data = data
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(GIVEN)}
        self._environment = inherited | {
            "DATABASE_URL": database_url,
            "BROKER_URL": redis_url,
            "IMPASTO_ENGINE__KIND": "null",
            "IMPASTO_MARKING__DEVELOPMENT": str(data / "marking"),
        }
        self.log = data / "fleet.log"

    def command(self, *arguments: str) -> list[str]:
        return [*IMPASTO, "fleet", *arguments, "--data", str(self.data)]

    def start(self, *arguments: str) -> None:
        self.data.mkdir()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(*arguments), env=self._environment, stdout=log, stderr=log
            )

    def end(self) -> None:
        """Whatever is left of a failed test."""
        if self.process.poll() is None:
            its = psutil.Process(self.process.pid)
            for process in [its, *its.children(recursive=True)]:
                process.kill()
            self.process.wait()

    def status(self) -> list[dict[str, Any]]:
        asked = subprocess.run(
            self.command("status", "--json"), env=self._environment, capture_output=True, text=True
        )
        assert asked.returncode == 0, asked.stderr
        workers: list[dict[str, Any]] = json.loads(asked.stdout)
        return workers

    def said(self, words: str, times: int) -> bool:
        return self.log.read_text().count(words) == times

    def all_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return {its["state"] for its in self.status()} == {"ready"}


@pytest.fixture
def fleet(tmp_path: Path, database_url: str, empty_redis_url: str) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path / "fleet", database_url, empty_redis_url)
    fleet.start("--devices", "cpu:2")
    yield fleet
    fleet.end()


def test_a_killed_worker_comes_back_more_patiently_each_time_and_all_are_drained(
    fleet: Fleet,
) -> None:
    until(lambda: (fleet.data / "fleet.json").exists(), 60)
    until(fleet.all_ready, 120)
    first, second = fleet.status()
    assert [first["device"], second["device"]] == ["cpu:0", "cpu:1"]
    assert [first["told"], second["told"]] == ["cpu:0", "cpu:1"]  # as the processes say
    environment = psutil.Process(second["pid"]).environ()
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert int(environment["IMPASTO_ENGINE__THREADS"]) >= 1

    waits = []
    for crash in (1, 2):
        pid = fleet.status()[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        until(partial(fleet.said, "worker-0 starts again", crash))
        waits.append(float(fleet.log.read_text().rpartition("starts again in ")[2].split()[0]))
        until(fleet.all_ready, 120)
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0
    again, untouched = fleet.status()
    assert again["starts"] == 3
    assert again["last_end"] == "by SIGKILL"
    assert (untouched["pid"], untouched["starts"]) == (second["pid"], 1)

    family = psutil.Process(fleet.process.pid).children(recursive=True)
    fleet.process.send_signal(signal.SIGTERM)
    assert fleet.process.wait(60) == 0
    assert not psutil.wait_procs(family, timeout=10)[1]
    stopped = subprocess.run(fleet.command("status"), capture_output=True, text=True)
    assert stopped.returncode == 1
    assert "does not run" in stopped.stderr


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, redis_url: str) -> None:
    missing = "GPU-00000000-0000-0000-0000-000000000000"
    asked = subprocess.run(
        [*IMPASTO, "fleet", "--devices", missing, "--data", str(tmp_path / "fleet")],
        env=os.environ | {"IMPASTO_ENGINE__PROVIDER": "cuda", "BROKER_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert asked.returncode == 1
    assert "nvidia-smi -L" in asked.stderr


def test_a_worker_meant_for_another_gpu_does_not_start(redis_url: str) -> None:
    missing = "GPU-00000000-0000-0000-0000-000000000000"
    asked = subprocess.run(
        [*IMPASTO, "worker", "--expect", missing],
        env=os.environ | {"IMPASTO_ENGINE__PROVIDER": "cuda", "BROKER_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert asked.returncode == 1
    assert "no CUDA driver" in asked.stderr or missing in asked.stderr
