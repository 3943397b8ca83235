"""Flower over HTTP: a real one, beside a real queue."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from flower.urls import handlers

from app.errors import Misconfigured
from app.settings import Settings
from app.stack import kept
from tests.e2e.system import until
from workers.console import arguments, environment

AUTH = ("ops", "a long password")
MUTATING = [
    one[0]
    for one in handlers
    if isinstance(one, tuple) and one[0].startswith("/api") and "post" in vars(one[1])
]


def told(auth: str, host: str = "127.0.0.1", **given: str) -> dict[str, str]:
    settings = Settings(_env_file=None, FLOWER_BASIC_AUTH=auth, BROKER_URL="redis://r")
    return environment(settings, host, given)


@contextmanager
def flower(broker: str, auth: str, directory: Path) -> Iterator[str]:
    """The address of a Flower that answers."""
    port = kept.port(directory / "port")
    given = Settings(_env_file=None, FLOWER_BASIC_AUTH=auth, BROKER_URL=broker)
    process = subprocess.Popen(
        arguments("127.0.0.1", port),
        env=environment(given, "127.0.0.1", os.environ),
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(f"{url}/healthcheck"))
        yield url
    finally:
        process.terminate()
        process.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.fixture(scope="module")
def url(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with flower(redis_url, ":".join(AUTH), tmp_path_factory.mktemp("flower")) as url:
        yield url


@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/broker", "/api/workers"])
def test_nobody_looks_without_the_password(url: str, path: str) -> None:
    assert httpx2.get(url + path).status_code == 401
    assert httpx2.get(url + path, auth=(AUTH[0], "a guess")).status_code == 401


@pytest.mark.parametrize("path", ["/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"])
def test_operators_look_with_it(url: str, path: str) -> None:
    assert httpx2.get(url + path, auth=AUTH).status_code == 200


def test_there_is_something_it_could_touch() -> None:
    assert len(MUTATING) >= 10


@pytest.mark.parametrize("pattern", MUTATING)
def test_nobody_touches_anything(url: str, pattern: str) -> None:
    path = pattern.replace("(.+)", "any").replace("(.*)", "any")
    assert "(" not in path
    answer = httpx2.post(url + path, auth=AUTH, json={"args": ["campaign"]})
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("host", ["::", "10.0.0.7", "flower.example.com"])
def test_it_does_not_start_for_others_without_a_password(host: str) -> None:
    with pytest.raises(Misconfigured, match="FLOWER_BASIC_AUTH=ops:something-long"):
        told("", host)
    assert told("ops:long", host)["FLOWER_BASIC_AUTH"] == "ops:long"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_it_may_do_without(host: str) -> None:
    assert "FLOWER_BASIC_AUTH" not in told("", host)


@pytest.mark.parametrize("auth", ["ops", "ops:", ":long"])
def test_half_a_password_is_refused(auth: str) -> None:
    with pytest.raises(Misconfigured, match="a name and a password"):
        told(auth)


def test_nothing_around_it_opens_it() -> None:
    its = told("ops:long", FLOWER_UNAUTHENTICATED_API="true", FLOWER_READ_ONLY="false", PATH="/bin")
    assert its == {"BROKER_URL": "redis://r", "FLOWER_BASIC_AUTH": "ops:long", "PATH": "/bin"}
    assert "ops:long" not in " ".join(arguments("10.0.0.7", 5555))
