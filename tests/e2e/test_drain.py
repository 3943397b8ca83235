"""A worker that an operator drains: a real one, with a real queue."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import open_database
from app.db.models import JobHistory
from app.stack.postgres import EmbeddedPostgres
from tests.e2e.system import GIVEN, IMPASTO, Up, until


def ops(data: Path, *arguments: str) -> str:
    """What an operator types where `impasto up` runs."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(GIVEN)}
    home = data.parent / "home"  # commands look for var/impasto where they are
    (home / "var").mkdir(parents=True, exist_ok=True)
    if not (home / "var" / "impasto").exists():
        (home / "var" / "impasto").symlink_to(data)
    done = subprocess.run(
        [*IMPASTO, "ops", *arguments], cwd=home, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def states(data: Path) -> dict[str, str]:
    rows: list[dict[str, Any]] = json.loads(ops(data, "workers", "--json"))
    return {row["worker"]: row["state"] for row in rows}


def drawn_by(up: Up) -> str:
    """Who drew a picture that was asked for now."""
    job_id = up.draw()["id"]
    with open_database(EmbeddedPostgres.url_of(up.data / "postgres"))() as session:
        its = select(JobHistory.worker).where(JobHistory.job_id == UUID(job_id))
        worker = session.scalars(its.where(JobHistory.status == "running")).one()
    assert worker is not None
    return worker


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "some data"


def test_a_drained_worker_leaves_its_tickets_to_the_others(data: Path) -> None:
    with Up(data, options=["--no-flower", "--workers", "2"]) as up:
        up.wait_ready()
        until(lambda: len(states(data)) == 2)
        one, other = sorted(states(data))
        ops(data, "drain", one, "--wait", "30")
        log = [data / "logs" / f"worker-{number}.log" for number in range(2)]
        until(lambda: any("drained: takes no more" in path.read_text() for path in log))
        assert states(data) == {one: "drained", other: "idle"}
        assert {drawn_by(up) for _ in range(4)} == {other}

        ops(data, "resume", one)
        ops(data, "drain", other)
        until(lambda: any("resumed: takes work" in path.read_text() for path in log))
        assert drawn_by(up) == one
        assert up.stop() == 0
