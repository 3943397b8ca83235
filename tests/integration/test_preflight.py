"""What is wrong before anything starts is said in a sentence that helps."""

import socket
from importlib.util import find_spec
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import make_url

from app.errors import Misconfigured
from app.stack import kept, preflight


@pytest.fixture
def port(tmp_path: Path) -> int:
    """A port nobody listens on."""
    return kept.port(tmp_path / "port")


def test_two_cannot_work_on_one_directory(tmp_path: Path) -> None:
    with (
        preflight.locked(tmp_path / "data"),
        pytest.raises(Misconfigured, match=r"Another .* --data"),
        preflight.locked(tmp_path / "data"),
    ):
        pass
    with preflight.locked(tmp_path / "data"):
        """Free again."""


def test_a_file_where_the_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(Misconfigured, match=r"Cannot write to .*/data.* --data"):
        preflight.locked(tmp_path / "data").__enter__()


def test_a_full_disk_is_said_with_what_is_missing(tmp_path: Path) -> None:
    preflight.check_disk(tmp_path, needed=1)
    with pytest.raises(Misconfigured, match="1125899906 MB are needed"):
        preflight.check_disk(tmp_path, needed=1125899906 * 2**20)


def test_a_taken_port_is_said_with_the_option(port: int) -> None:
    preflight.check_port(port)
    taken = pytest.raises(Misconfigured, match=rf"Port {port} is taken.* --port")
    with socket.create_server(("127.0.0.1", port)), taken:
        preflight.check_port(port)


def test_a_port_that_is_being_left_is_waited_for(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    leaving = Timer(0.3, listener.close)
    leaving.start()
    preflight.check_port(port)
    leaving.join()


def test_a_given_database_that_works_is_fine(postgres: str) -> None:
    preflight.check_database(postgres)


def test_a_wrong_database_password_is_said(postgres: str) -> None:
    url = make_url(postgres).set(password="guess").render_as_string(hide_password=False)
    with pytest.raises(
        Misconfigured, match=r"DATABASE_URL.*password authentication failed"
    ) as said:
        preflight.check_database(url)
    assert "guess" not in str(said.value)


def test_an_absent_database_server_is_said(port: int) -> None:
    with pytest.raises(Misconfigured, match=r"(?s)DATABASE_URL.*refused"):
        preflight.check_database(f"postgresql+psycopg2://impasto@127.0.0.1:{port}/impasto")


@pytest.mark.parametrize(
    "url", ["the one on the shelf", "mysql://x", "postgresql://x:y", "postgresql"]
)
def test_a_url_of_no_postgres_is_said(url: str) -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL"):
        preflight.check_database(url)


def test_a_given_redis_that_works_is_fine(redis_url: str) -> None:
    preflight.check_broker(redis_url)


@pytest.mark.parametrize(
    "url", ["amqp://localhost", "redis://:guess@127.0.0.1:{port}/0", "redis://x:y"]
)
def test_a_broker_that_does_not_work_is_said(url: str, port: int) -> None:
    with pytest.raises(Misconfigured, match="BROKER_URL"):
        preflight.check_broker(url.format(port=port))


def test_a_wrong_redis_password_is_said(redis_url: str) -> None:
    wrong = make_url(redis_url).set(password="guess").render_as_string(hide_password=False)
    with pytest.raises(Misconfigured, match=r"BROKER_URL.*password"):
        preflight.check_broker(wrong)


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed here")
def test_prints_without_pytorch_are_said_before_anything_starts() -> None:
    with pytest.raises(Misconfigured, match=r"pip install 'impasto\[training\]'.*--optimizer"):
        preflight.check_optimizer()
