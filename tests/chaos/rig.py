"""The whole system as processes, every link between them through a place where it can be broken."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Row, make_url, select, text

from app.db import Sessions, keys, open_database
from app.db.migrations import upgrade
from app.db.models import Tenant
from app.queue import CeleryTickets, open_queue
from app.settings import LocalStorageSettings, Settings
from app.stack import kept
from app.stack.children import Child
from app.stack.postgres import EmbeddedPostgres
from app.stack.redis import EmbeddedRedis
from app.storage import Storage, open_storage
from app.submission import Desk
from tests.chaos import catalog, plain
from tests.chaos.client import Album, Client, make_albums
from tests.chaos.clocks import shifted
from tests.chaos.doors import DeskDoor, Door, HttpDoor
from tests.chaos.journal import Journal
from tests.chaos.keeper import Keeper
from tests.chaos.network import Link, Network
from tests.chaos.receiver import Log
from tests.chaos.waiting import until
from tests.vouching import vouch

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "a secret of the chaos rig"


@dataclass(frozen=True)
class Plan:
    """What a rig is made of."""

    workers: int = 2
    ios: int = 1  #: io workers, each with a beat
    api: int = 0  #: API processes; none: work comes in over the desk
    tree: Path = ROOT  #: the source that the processes run
    worker: tuple[str, ...] = ("-m", "workers", "worker")  #: Python's arguments for a worker
    env: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[bytes, ...] = ()  #: pictures of every tenant beside the usual
    plain: bool = False  #: the negative control in place of our workers
    clocks: Mapping[str, int] = field(default_factory=dict)  #: seconds that a process is off
    cache: bool = False  #: equal pictures are drawn once; else each by itself, so that all is seen


class Rig:
    """Everything up and ready inside the context; nothing left of it outside."""

    def __init__(self, directory: Path, seed: int, plan: Plan | None = None) -> None:
        self.directory, self.seed, self.plan = directory, seed, plan or Plan()
        self.journal = Journal()
        self.keeper = Keeper()
        self.links: dict[str, Link] = {}
        self._network = Network()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        catalog.write(self.directory / "catalog")
        self._trusting = vouch(self.directory / "catalog")
        self._stack.enter_context(self._network)
        self.receiver = self._stack.enter_context(Log(SECRET_KEY))
        self.receiver_link = self._network.link(self.receiver.port)
        self.receiver.through = self.receiver_link.port
        self._stack.enter_context(self.keeper)
        self.postgres = EmbeddedPostgres(self.directory / "postgres")
        self.redis = EmbeddedRedis(self.directory / "redis")
        self.keeper.add(self.postgres.child(), self.redis.child())
        self.postgres.create_database()
        upgrade(self.postgres.url)
        self.sessions = self._database(self.postgres.url)
        self.storage: Storage = open_storage(LocalStorageSettings(root=self.directory / "assets"))
        with self.sessions.begin() as session:
            self.albums: list[Album] = make_albums(session, self.storage, list(self.plan.extra))
        self.workers = [f"worker-{number}" for number in range(self.plan.workers)]
        if self.plan.plain:
            with self.sessions.begin() as session:
                session.execute(text(plain.PLAIN))
        self.ios = ["io", *(f"io-{number}" for number in range(1, self.plan.ios))]
        others = [] if self.plan.plain else map(self._io, self.ios)
        self.keeper.add(*others, *map(self._worker, self.workers))
        self.ports = [self._free_port(number) for number in range(self.plan.api)]
        if self.ports:
            self.keeper.add(*(self._api(number) for number in range(self.plan.api)))
        self.door = self._door()

    def client(self) -> Client:
        """A client of this rig; it has the rig's seed."""
        return Client(self.door, self.albums, self.journal, self.receiver.url, self.seed)

    def settings(self, name: str) -> Settings:
        """What a process of that name is told, as settings."""
        env = self._env(name)
        return Settings(
            database_url=env["DATABASE_URL"],
            broker_url=env["BROKER_URL"],
            secret_key=SECRET_KEY,
            storage=LocalStorageSettings(root=self.directory / "assets"),
            webhooks={"allow_private": True},
            cache=self.plan.cache,
        )

    def link(self, name: str, server: str) -> Link:
        """The way of a process to `postgres` or `redis`, made when first asked for."""
        key = f"{name}>{server}"
        if key not in self.links:
            port = self.postgres.port if server == "postgres" else self.redis.port
            self.links[key] = self._network.link(port)
        return self.links[key]

    def scalar(self, statement: str, **given: Any) -> Any:
        """One value from the database, past all faults."""
        with self.sessions() as session:
            return session.scalar(text(statement), given)

    def row(self, statement: str, **given: Any) -> Row[Any]:
        """One row from the database, past all faults."""
        with self.sessions() as session:
            return session.execute(text(statement), given).one()

    def rows(self, statement: str, **given: Any) -> Sequence[Row[Any]]:
        """Rows from the database, past all faults."""
        with self.sessions() as session:
            return session.execute(text(statement), given).all()

    def unfinished(self) -> int:
        """Jobs that have not ended."""
        return int(self.scalar("SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')"))

    def held_by(self, pid: int) -> int:
        """Jobs that the process with this id holds."""
        like = f"%:{pid}:%"
        return int(
            self.scalar(
                "SELECT count(*) FROM jobs WHERE status = 'running' AND worker LIKE :like",
                like=like,
            )
        )

    def undelivered(self) -> int:
        """Webhooks on their way."""
        return int(self.scalar("SELECT count(*) FROM deliveries WHERE state = 'pending'"))

    def settle(self, seconds: float) -> None:
        """Wait until every job has ended and every webhook is out."""
        until(lambda: not self.unfinished(), seconds, "every job has ended", every=0.1)
        until(lambda: not self.undelivered(), seconds, "every webhook is out", every=0.1)

    def _database(self, url: str) -> Sessions:
        sessions = open_database(url)
        self._stack.callback(sessions.kw["bind"].dispose)
        return sessions

    def _env(self, name: str) -> dict[str, str]:
        return {
            "DATABASE_URL": _through(self.postgres.url, self.link(name, "postgres")),
            "BROKER_URL": _through(self.redis.url, self.link(name, "redis")),
            "IMPASTO_SECRET_KEY": SECRET_KEY,
            "IMPASTO_ENGINE__KIND": "null",
            "IMPASTO_CACHE": str(self.plan.cache).lower(),
            "IMPASTO_ENGINE__STYLIZER": catalog.STYLIZER,
            "IMPASTO_CATALOG": str(self.directory / "catalog"),
            **self._trusting,
            "IMPASTO_STORAGE__KIND": "local",
            "IMPASTO_STORAGE__ROOT": str(self.directory / "assets"),
            "IMPASTO_WEBHOOKS__ALLOW_PRIVATE": "true",
            "PYTHONPATH": str(self.plan.tree),
            **(shifted(self.plan.clocks[name]) if name in self.plan.clocks else {}),
            **self.plan.env,
        }

    def _worker(self, name: str) -> Child:
        device = name.rpartition("-")[2]
        return self._child(name, *self.plan.worker, "--device", device)

    def _io(self, name: str) -> Child:
        return self._child(name, "-m", "workers", "io", "--beat")

    def _child(self, name: str, *arguments: str) -> Child:
        ready = self.directory / f"{name}.ready"
        return Child(
            name=name,
            argv=[sys.executable, *arguments, "--ready-file", str(ready)],
            log=self.directory / f"{name}.log",
            env=self._env(name),
            cwd=self.plan.tree,
            prepare=lambda: ready.unlink(missing_ok=True),
            ready=ready.exists,
            grace=5.0,
        )

    def _api(self, number: int) -> Child:
        name, port = f"api-{number}", self.ports[number]
        return replace(
            self._child(name),
            argv=[sys.executable, "-m", "app.api", "--port", str(port)],
            ready=lambda: _answers(port),
        )

    def _free_port(self, number: int) -> int:
        return kept.port(self.directory / f"api-{number}.port")

    def _door(self) -> Door:
        if self.ports:
            return HttpDoor(self.ports, self._keys())
        settings = self.settings("desk")
        celery = open_queue(settings)
        self._stack.callback(celery.close)
        desk = Desk(
            settings=settings,
            sessions=self._database(settings.database_url.get_secret_value()),
            storage=self.storage,
            tickets=CeleryTickets(celery),
            stylizer="",
        )
        if not self.plan.plain:
            return DeskDoor(desk)
        messages = plain.open_plain(settings.broker_url.get_secret_value())
        self._stack.callback(messages.close)
        return plain.PlainDoor(replace(desk, tickets=plain.NoTickets()), messages)

    def _keys(self) -> dict[UUID, str]:
        with self.sessions.begin() as session:
            names = {tenant.id: tenant.name for tenant in session.scalars(select(Tenant))}
            return {
                album.tenant_id: keys.create(session, tenant=names[album.tenant_id], name="chaos")
                for album in self.albums
            }


def _through(url: str, link: Link) -> str:
    """The same server over a link."""
    return make_url(url).set(port=link.port).render_as_string(hide_password=False)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
