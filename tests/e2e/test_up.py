"""`impasto up` as somebody types it: started, used, stopped, killed, started again."""

import re
import signal
import socket
from pathlib import Path

import httpx2
import psutil
import pytest
from sqlalchemy import make_url

from tests.e2e.system import Up, until


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "some data"


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
        assert f"export IMPASTO_URL=http://127.0.0.1:{first.port} IMPASTO_API_KEY=" in first.output
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
