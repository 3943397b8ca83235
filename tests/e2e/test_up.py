"""`impasto up` as somebody types it: started, used, stopped, killed, started again."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil
import pytest
from PIL import Image
from sqlalchemy import make_url

from app.stack import kept

IMPASTO = [sys.executable, "-c", "from app.cli import main; main()"]
GIVEN = ("DATABASE_URL", "BROKER_URL", "IMPASTO_")


@dataclass
class Up:
    """One `impasto up` with the null engine."""

    data: Path
    options: list[str] = field(default_factory=lambda: ["--no-flower"])
    environment: dict[str, str] = field(default_factory=dict)
    key: str = ""

    def __post_init__(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.port = kept.port(self.data / "test-port")
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(GIVEN)}
        arguments = ["up", "--null-engine", "--data", str(self.data), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*IMPASTO, *arguments, *self.options],
            env=inherited | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever is left of a failed test."""
        self.kill_all()
        self._reader.join()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_ready(self) -> Self:
        until(lambda: "is ready" in self.output or self.process.poll() is not None, 120)
        assert "is ready" in self.output, self.output
        until(lambda: "  Key" in self.output)
        if shown := re.search(r"Key +(imp_\S+)", self.output):
            self.key = shown[1]
        return self

    def family(self) -> list[psutil.Process]:
        """Everything it started."""
        if self.process.poll() is not None:
            return []
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_all(self) -> None:
        """At once, as when the lights go out."""
        family = self.family()
        self.process.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)

    def get(self, path: str) -> Any:
        answer = httpx2.get(f"http://127.0.0.1:{self.port}{path}", headers=self._headers())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def draw(self) -> dict[str, Any]:
        """Send a picture, wait for what becomes of it."""
        picture = BytesIO()
        Image.effect_noise((64, 64), 40).convert("RGB").save(picture, "JPEG")
        answer = httpx2.post(
            f"http://127.0.0.1:{self.port}/v1/jobs",
            headers=self._headers() | {"Prefer": "wait=30"},
            files={"content": ("noise.jpg", picture.getvalue(), "image/jpeg")},
            data={"style": "great-wave"},
            timeout=60,
        )
        assert answer.status_code < 300, answer.text
        job: dict[str, Any] = answer.json()
        until(lambda: self.get(f"/v1/jobs/{job['id']}")["status"] == "succeeded")
        return job

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(iter(output.readline, ""))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "some data"


def until(condition: Callable[[], Any], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.05)


def assert_gone(processes: list[psutil.Process], seconds: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    assert not alive


def named(processes: list[psutil.Process], word: str) -> psutil.Process:
    [found] = [process for process in processes if word in process.cmdline()]
    return found


def test_a_first_start_draws_and_a_second_goes_on(data: Path) -> None:
    with Up(data) as first:
        job = first.wait_ready().draw()
        family = first.family()
        assert first.stop() == 0
        assert "shown only now" in first.output
    assert_gone(family, 10)  # seconds until init has buried what the worker left
    with Up(data, key=first.key) as second:
        second.wait_ready()
        assert first.key not in second.output
        assert second.get(f"/v1/jobs/{job['id']}")["status"] == "succeeded"
        assert second.draw()["id"] != job["id"]
        assert second.stop(signal.SIGTERM) == 0


def test_it_goes_on_after_everything_was_killed(data: Path) -> None:
    with Up(data) as first:
        job = first.wait_ready().draw()
        first.kill_all()
    with Up(data, key=first.key) as second:
        second.wait_ready()
        assert second.get(f"/v1/jobs/{job['id']}")["status"] == "succeeded"
        second.draw()


def test_nobody_outlives_a_killed_supervisor(data: Path) -> None:
    with Up(data) as up:
        family = up.wait_ready().family()
        assert len(family) >= 5
        up.stop(signal.SIGKILL)
        assert_gone(family, 60)


def test_killed_parts_come_back_and_work_goes_on(data: Path) -> None:
    with Up(data) as up:
        up.wait_ready()
        for part, word in {"worker-0": "worker", "api": "app.api", "postgres": "-D"}.items():
            killed = named(up.family(), word)
            killed.kill()
            until(lambda part=part: f"{part} starts again in 1 s" in up.output)  # type: ignore[misc]
        until(lambda: is_up(f"http://127.0.0.1:{up.port}/readyz"))
        up.draw()
        assert up.stop() == 0


def test_what_is_given_is_used_instead_of_its_own(
    data: Path, empty_database_url: str, redis_url: str
) -> None:
    given = {"DATABASE_URL": empty_database_url, "BROKER_URL": redis_url}
    with Up(data, environment=given) as up:
        up.wait_ready().draw()
        assert up.stop() == 0
    assert not (data / "postgres").exists()
    assert not (data / "redis").exists()


def test_flower_shows_workers_and_touches_none(data: Path) -> None:
    with Up(data, options=[]) as up:
        up.wait_ready()
        url = re.search(r"Flower +(\S+)", up.output)
        assert url is not None
        until(lambda: is_up(f"{url[1]}/healthcheck"))
        assert httpx2.get(f"{url[1]}/api/workers").status_code == 401
        assert httpx2.post(f"{url[1]}/api/worker/shutdown/anybody").status_code in (401, 403, 405)
        assert up.stop() == 0


def is_up(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def refused(up: Up) -> str:
    """What it says before it ends with 1."""
    with up:
        assert up.process.wait(60) == 1, up.output
    return " ".join(up.output.split())


def test_a_second_up_on_a_directory_says_so(data: Path) -> None:
    with Up(data) as up:
        until((data / "lock").exists)
        assert "name another directory with --data" in refused(Up(data))
        up.stop()


def test_a_taken_port_is_said(data: Path) -> None:
    up = Up(data)
    with socket.create_server(("127.0.0.1", up.port)):
        assert f"Port {up.port} is taken" in refused(up)


def test_a_wrong_database_password_is_said(data: Path, postgres: str) -> None:
    wrong = make_url(postgres).set(password="guess").render_as_string(hide_password=False)
    assert "DATABASE_URL does not work" in refused(Up(data, environment={"DATABASE_URL": wrong}))


def test_a_missing_model_is_said(data: Path, tmp_path: Path) -> None:
    nowhere = {"IMPASTO_CATALOG": str(tmp_path)}
    assert "IMPASTO_CATALOG" in refused(Up(data, environment=nowhere))
