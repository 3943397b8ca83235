"""A whole `impasto up` for tests, as somebody types it."""

import os
import re
import signal
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
from PIL import Image

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


def until(condition: Callable[[], Any], seconds: float = 40.0, what: str = "it") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        threading.Event().wait(0.05)
