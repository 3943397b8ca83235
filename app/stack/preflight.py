"""What can be known to be wrong before anything starts, said with what to do about it."""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import NullPool

from app.errors import Misconfigured
from app.stack import kept

FREE_BYTES = 200 * 2**20
PORT_PATIENCE = 3.0  #: seconds a killed predecessor's API gets to leave its port


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data directory; the kernel lets go of it even when we are killed."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("a")
    except OSError as error:
        raise Misconfigured(
            f"Cannot write to {data}: {error.strerror}. Make it writable, or name another directory"
            " with --data."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                f"Another `impasto up` works on {data}. Use that one, or stop it, or name another"
                " directory with --data."
            ) from None
        yield


def check_disk(data: Path, needed: int = FREE_BYTES) -> None:
    """Raises Misconfigured when fewer than `needed` bytes are free."""
    free = shutil.disk_usage(data).free
    if free < needed:
        raise Misconfigured(
            f"Only {free // 2**20} MB are free for {data}, {needed // 2**20} MB are needed."
            " Free some, or name a directory elsewhere with --data."
        )


def check_port(port: int) -> None:
    """Raises Misconfigured when somebody listens there and stays."""
    deadline = time.monotonic() + PORT_PATIENCE
    while not kept.is_free(port):
        if time.monotonic() > deadline:
            raise Misconfigured(
                f"Port {port} is taken by another program. Stop it, or choose another with --port."
            )
        time.sleep(0.05)


def check_optimizer() -> None:
    """Raises Misconfigured where prints and learning are wanted and PyTorch is not there."""
    if find_spec("torch") is None:
        raise Misconfigured(
            "Prints and learning need PyTorch. Install it: pip install 'impasto[training]', or"
            " start without --optimizer (IMPASTO_OPTIMIZER__ENABLED)."
        )


def check_database(url: str) -> None:
    """Raises Misconfigured when a database that was given does not let us in."""
    if not url.startswith("postgresql"):
        raise Misconfigured("DATABASE_URL must start with postgresql://.")
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
        engine.connect().close()
    except (OperationalError, ArgumentError, ValueError) as error:
        raise Misconfigured(
            f"DATABASE_URL does not work: {_reason(error)}. Correct it, or unset it to use"
            " a database of our own."
        ) from error


def check_broker(url: str) -> None:
    """Raises Misconfigured when a broker that was given is no Redis or does not let us in."""
    if urlsplit(url).scheme not in ("redis", "rediss"):
        raise Misconfigured("BROKER_URL must start with redis:// or rediss://.")
    once = Retry(NoBackoff(), 0)
    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5, retry=once) as client:
            client.ping()
    except (RedisError, ValueError) as error:
        raise Misconfigured(
            f"BROKER_URL does not work: {error}. Correct it, or unset it to use a Redis of our own."
        ) from error


def _reason(error: Exception) -> str:
    """What the server said, without our statement and links about it."""
    said = error.orig if isinstance(error, OperationalError) else error
    return str(said).strip()
