"""The embedded servers: what a killed or a second start must not lose, and whom they spare."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, ResponseError

from app.errors import Misconfigured
from app.settings import Settings
from app.stack import found, kept
from app.stack.children import launched
from app.stack.postgres import UNPRIVILEGED, EmbeddedPostgres
from app.stack.redis import EmbeddedRedis

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Longer than a socket's path may be, with a space in it."""
    return tmp_path / "a path with spaces" / ("long" * 25)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster that was stopped in good order; tests work on copies of it."""
    directory = tmp_path_factory.mktemp("made")
    with EmbeddedPostgres(directory) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    return directory


@pytest.fixture
def cluster(made: Path, place: Path) -> EmbeddedPostgres:
    """A cluster on which a table `kept` holds 42."""
    place.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", made, place], check=True)
    return EmbeddedPostgres(place)


def query(url: str, statement: str) -> Any:
    with (
        closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection,
        connection,  # commits
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def answer(server: EmbeddedPostgres) -> int:
    [(number,)] = query(server.url, "SELECT answer FROM kept")
    return int(number)


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)


def test_a_new_postgres_is_durable_modest_and_local(place: Path) -> None:
    with EmbeddedPostgres(place) as server:
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "shared_buffers": "128MB",
            "listen_addresses": "127.0.0.1",
            "server_encoding": "UTF8",
        }.items():
            assert query(server.url, f"SHOW {name}") == [(value,)]
        with pytest.raises(psycopg2.OperationalError, match="password"):
            query(server.url.replace(server.password, "guess"), "SELECT 1")


def test_the_password_is_for_its_owner_only(cluster: EmbeddedPostgres) -> None:
    mode = (cluster.directory / "password").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    with cluster:
        argv = psutil.Process(postmaster(cluster)).cmdline()
    assert cluster.password not in " ".join(argv)


def test_a_second_start_continues_on_the_same_port(cluster: EmbeddedPostgres) -> None:
    with cluster:
        query(cluster.url, "UPDATE kept SET answer = 43")
    again = EmbeddedPostgres(cluster.directory)
    with again:
        assert again.url == cluster.url
        assert answer(again) == 43


def test_commands_beside_a_running_server_find_it(
    cluster: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)
    data = tmp_path / "data"
    data.mkdir()
    (data / "postgres").symlink_to(cluster.directory)
    broker = EmbeddedRedis(data / "redis")
    expected = broker.url
    ours, theirs = (
        Settings(_env_file=None),
        Settings(_env_file=None, database_url="postgresql://x/y"),
    )
    with cluster:
        for _ in range(2):  # looking changes nothing
            beside = found.beside(ours, data)
            assert beside.database_url.get_secret_value() == cluster.url
            assert beside.broker_url.get_secret_value() == expected
            assert beside.secret_key.get_secret_value() == kept.secret(data / "secret-key")
    assert found.beside(theirs, data) == theirs
    with pytest.raises(Misconfigured, match="impasto up"):
        found.beside(ours, tmp_path)


def test_another_port_is_taken_when_the_last_one_is_not_free(cluster: EmbeddedPostgres) -> None:
    with cluster:
        other = EmbeddedRedis(cluster.directory.parent / "redis", cluster.port)
    with other:
        moved = EmbeddedPostgres(cluster.directory)
        with moved:
            assert moved.port != other.port
            assert answer(moved) == 42


def test_a_killed_postgres_recovers(cluster: EmbeddedPostgres) -> None:
    with cluster:
        query(cluster.url, "UPDATE kept SET answer = 44")
        os.kill(postmaster(cluster), signal.SIGKILL)
    with EmbeddedPostgres(cluster.directory) as again:
        assert answer(again) == 44


def test_a_server_left_by_a_killed_start_is_ended_first(cluster: EmbeddedPostgres) -> None:
    with left_behind(cluster) as orphan:
        until(cluster.child().ready)
        with EmbeddedPostgres(cluster.directory) as again:
            assert orphan.poll() == 0
            assert answer(again) == 42


def test_a_process_that_got_a_dead_servers_number_is_spared(cluster: EmbeddedPostgres) -> None:
    with left_behind(cluster) as orphan:
        until(cluster.child().ready)
        pid_file = (cluster.cluster / "postmaster.pid").read_text()
        orphan.kill()
        orphan.wait()
    sleeper = launched([sys.executable, "-c", "import signal; signal.pause()"], UNPRIVILEGED)
    with ended(subprocess.Popen(sleeper)) as stranger:
        forged = pid_file.replace(str(orphan.pid), str(stranger.pid), 1)
        (cluster.cluster / "postmaster.pid").write_text(forged)
        with EmbeddedPostgres(cluster.directory) as again:
            assert answer(again) == 42
        assert stranger.poll() is None


def test_an_interrupted_initdb_is_begun_again(place: Path) -> None:
    half = place / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(place) as server:
        query(server.url, "SELECT 1")
    assert not half.exists()


def test_a_postgres_that_cannot_start_is_quoted(cluster: EmbeddedPostgres) -> None:
    (cluster.cluster / "PG_VERSION").write_text("9.4")
    with pytest.raises(Misconfigured, match="incompatible with server"):
        cluster.__enter__()


def test_postgres_runs_for_an_ordinary_user() -> None:
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(UNPRIVILEGED)
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    start = f"""
from pathlib import Path
from app.stack.postgres import UNPRIVILEGED, EmbeddedPostgres
with EmbeddedPostgres(Path({str(directory)!r}) / "postgres"):
    print("it runs")"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", start],
            cwd=REPOSITORY,
            env={"PYTHONPATH": "."},
            capture_output=True,
            text=True,
            **user,
        )
    except PermissionError:
        pytest.skip(f"{REPOSITORY} or {sys.executable} is closed to {UNPRIVILEGED}")
    finally:
        shutil.rmtree(directory)
    assert done.stdout == "it runs\n", done.stderr


def test_a_redis_keeps_what_it_acknowledged_through_a_kill(place: Path) -> None:
    with EmbeddedRedis(place) as server, Redis.from_url(server.url) as client:
        client.set("kept", "42")
        appended = place / "appendonly.aof"
        until(lambda: b"kept" in appended.read_bytes())  # written before it answers, synced later
        pid = client.info()["process_id"]
        os.kill(pid, signal.SIGKILL)
    with EmbeddedRedis(place) as again, Redis.from_url(again.url) as client:
        assert again.url == server.url
        assert client.get("kept") == b"42"


def test_redis_is_local_locked_and_refuses_rather_than_forgets(place: Path) -> None:
    with EmbeddedRedis(place) as server, Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        stranger = Redis(port=server.port, password="guess")
        with stranger, pytest.raises((AuthenticationError, ResponseError)):
            stranger.ping()
        argv = psutil.Process(client.info()["process_id"]).cmdline()
    assert server.password not in " ".join(argv)
    for secret in ("password", "redis.conf"):
        assert stat.S_IMODE((place / secret).stat().st_mode) == 0o600


def test_a_redis_left_by_a_killed_start_is_ended_first(place: Path) -> None:
    server = EmbeddedRedis(place)
    child = server.child()
    child.prepare()
    with ended(subprocess.Popen(child.argv, cwd=place, stdout=subprocess.DEVNULL)) as orphan:
        until(child.ready)
        with EmbeddedRedis(place) as again, Redis.from_url(again.url) as client:
            assert orphan.poll() == 0
            assert client.info()["process_id"] != orphan.pid


def test_somebody_elses_redis_is_spared(place: Path) -> None:
    with (
        EmbeddedRedis(place / "theirs") as theirs,
        EmbeddedRedis(place / "ours"),
        Redis.from_url(theirs.url) as client,
    ):
        assert client.ping()


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first = kept.secret(tmp_path / "secret")
    assert len(first) >= 43
    assert kept.secret(tmp_path / "secret") == first
    assert kept.secret(tmp_path / "other") != first


@contextmanager
def left_behind(server: EmbeddedPostgres) -> Iterator[subprocess.Popen[bytes]]:
    """The server, started by somebody who forgot about it."""
    argv = launched(server.child().argv, UNPRIVILEGED)
    with ended(subprocess.Popen(argv, stderr=subprocess.DEVNULL)) as orphan:
        yield orphan


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()
