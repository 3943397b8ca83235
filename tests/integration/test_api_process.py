"""`python -m app.api` as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

import httpx2
import pytest
from redis import Redis

from app.catalog import Catalog, sync
from app.db import Sessions, keys
from app.queue import CeleryTickets, QueueName, open_queue
from app.settings import Settings
from tests.integration.conftest import Api, speaking
from tests.integration.test_catalog import write_catalog
from tests.unit.pictures import jpeg
from tests.vouching import vouch


@pytest.fixture
def environment(
    database_url: str, empty_redis_url: str, sessions: Sessions, tmp_path: Path
) -> dict[str, str]:
    """What the process reads, and a catalog that the database knows."""
    catalog = write_catalog(tmp_path / "catalog")
    with sessions.begin() as session:
        sync(session, Catalog(catalog))
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "BROKER_URL": empty_redis_url,
        "IMPASTO_SECRET_KEY": "a long random text",
        "IMPASTO_CATALOG": str(catalog),
        **vouch(catalog),
        "IMPASTO_ENGINE__STYLIZER": "tiny-1.0.0",
        "IMPASTO_STORAGE__KIND": "local",
        "IMPASTO_STORAGE__ROOT": str(tmp_path / "assets"),
    }


@contextmanager
def running(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app.api", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        url, deadline = f"http://127.0.0.1:{port}", monotonic() + 60
        try:
            while not answers(url):
                assert process.poll() is None
                assert monotonic() < deadline
            yield process, url
        finally:
            process.kill()


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_the_process_serves_tells_celery_and_ends_when_asked(
    environment: dict[str, str], sessions: Sessions
) -> None:
    with sessions.begin() as session:
        key = keys.create(session, tenant="one", name="test")
    with running(environment) as (process, url):
        answer = httpx2.post(
            f"{url}/v1/jobs",
            files={"content": jpeg()},
            data={"style": "plain"},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 202, answer.text
        with Redis.from_url(environment["BROKER_URL"]) as redis:
            assert redis.llen(QueueName.STYLIZE.value) == 1
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("IMPASTO_SECRET_KEY", "", "IMPASTO_SECRET_KEY"),
        ("IMPASTO_CATALOG", "/nowhere", "IMPASTO_CATALOG"),
        ("IMPASTO_ENGINE__STYLIZER", "huge-9.9.9", "tiny-1.0.0"),
    ],
)
def test_a_process_that_cannot_start_says_what_to_do(
    environment: dict[str, str], name: str, value: str, advice: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app.api", "--port", "1"],
        env=environment | {name: value},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 1
    assert advice in process.stderr.decode()
    assert "Traceback" not in process.stderr.decode()


def test_work_is_accepted_while_redis_is_away(api: Api) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        settings = Settings(_env_file=None, broker_url=url)
        desk = replace(api.desk, tickets=CeleryTickets(open_queue(settings)))
        with speaking(replace(api, desk=desk, redis_url=url)) as client:
            answer = client.post(
                "/v1/jobs",
                files={"content": jpeg()},
                data={"style": "plain"},
                headers={"Prefer": "wait=1"},
            )
            assert answer.status_code == 202
            cancelled = client.post(f"{answer.headers['location']}/cancel")
            assert cancelled.json()["status"] == "canceled"
