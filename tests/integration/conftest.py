"""A whole API for a test: its own database, its own directory, its own tenants."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.testclient import TestClient

from app.api.deps import State, opened
from app.api.main import create_app
from app.bell import Bell
from app.db import Sessions, costs, intake, jobs, keys, open_database
from app.db.intake import NewAsset
from app.db.models import AssetKind, Base
from app.domain.job import Lane
from app.domain.scopes import EVERYTHING
from app.domain.terms import Review
from app.errors import InvalidImage
from app.quotas import Meter
from app.settings import (
    GovernanceSettings,
    LimitSettings,
    LocalStorageSettings,
    OptimizerSettings,
    Settings,
)
from app.storage import Blob, LocalStorage, asset_key
from app.submission import Desk
from tests.conftest import new_database
from tests.rows import Ground, new_ground
from tests.tickets import ListTickets
from tests.unit.pictures import png

KEPT = (
    *("tenants", "api_keys", "stylizers", "alembic_version"),
    *("audit_log", "audit_heads"),  # making the keys is told there
)


@dataclass(frozen=True)
class Api:
    """A desk with two tenants, and the application around it."""

    desk: Desk
    tickets: ListTickets
    redis_url: str
    ground: Ground  #: the first tenant's
    key: str
    stranger: str  #: another tenant's key

    @property
    def app(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[State]:
            async with opened(self.desk, self.redis_url) as state:
                yield state

        return create_app(lifespan)

    def stored(self) -> dict[str, int]:
        """How much is in every table that a request could fill, and in the store."""
        tables = [table for table in Base.metadata.sorted_tables if table.name not in KEPT]
        with self.desk.sessions() as session:
            counts = {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in tables
            }
        if isinstance(self.desk.storage, LocalStorage):
            files = self.desk.storage.root.rglob("*")
            counts["files"] = sum(path.is_file() for path in files)
        return counts


def work(api: Api, *, amount: int = 1, lane: Lane = Lane.INTERACTIVE) -> list[UUID]:
    """Claim jobs and end them well, with a worker's own statements."""
    content = png((64, 48), compress_level=1)
    digest = sha256(content).hexdigest()
    api.desk.storage.put(Blob(asset_key(api.ground.tenant_id, digest), content, "image/png"))
    output = NewAsset(
        api.ground.tenant_id, digest, AssetKind.OUTPUT, "image/png", len(content), 64, 48
    )
    with api.desk.sessions.begin() as session:
        claimed = jobs.claim(session, lane, worker="w", limit=amount, pixels=2**40, lease=60.0)
    ended = [
        jobs.Success(
            jobs.Held(row.id, row.attempt),
            digest,
            274,
            '{"engine": 12.5}',
            review=row.review is not None and Review.parse(row.review).wants(row.id),
        )
        for row in claimed
    ]
    with api.desk.sessions.begin() as session:
        intake.add_assets(session, [output])
        jobs.succeed(session, ended, by="w")
        costs.add(
            session,
            [
                costs.NewInference(row.id, row.attempt, "cpu", "null", "a" * 64, 4, 12.5, 0.25)
                for row in claimed
            ],
        )
    whose = {row.campaign_id for row in claimed if row.campaign_id}
    Bell(api.redis_url).ring([*(row.id for row in claimed), *whose])
    return [row.id for row in claimed]


def fail(api: Api, *, amount: int = 1, lane: Lane = Lane.INTERACTIVE) -> list[UUID]:
    """Claim jobs and end them for good, as a worker does that cannot read their pictures."""
    with api.desk.sessions.begin() as session:
        claimed = jobs.claim(session, lane, worker="w", limit=amount, pixels=2**40, lease=60.0)
        for row in claimed:
            held = jobs.Held(row.id, row.attempt)
            jobs.break_off(session, held, InvalidImage("cut off"), failures=0, by="w")
    return [row.id for row in claimed]


def new_api(sessions: Sessions, redis_url: str, directory: Path) -> Api:
    """Two tenants, one style, a local store, and limits small enough to run into."""
    with sessions.begin() as session:
        ground = new_ground(session, "one")
        new_ground(session, "other")
        key = keys.create(session, tenant="one", name="test", scopes=EVERYTHING)
        stranger = keys.create(session, tenant="other", name="test", scopes=EVERYTHING)
    settings = Settings(
        _env_file=None,
        secret_key="a long random text",
        public_url="http://testserver",
        storage=LocalStorageSettings(root=directory),
        limits=LimitSettings(body_bytes=2**20),
        optimizer=OptimizerSettings(enabled=True),
        governance=GovernanceSettings(four_eyes=False),
        cache=False,  # most tests hand in the same picture over and over
    )
    storage = LocalStorage(directory)
    storage.check()
    tickets = ListTickets()
    meter = Meter(redis_url, settings.quotas)
    desk = Desk(settings, sessions, storage, tickets, stylizer="a" * 64, meter=meter)
    return Api(desk, tickets, redis_url, ground, key, stranger)


@pytest.fixture
def api(sessions: Sessions, redis_url: str, tmp_path: Path) -> Api:
    """An API of the test's own."""
    return new_api(sessions, redis_url, tmp_path / "assets")


@pytest.fixture(scope="module")
def shared_api(
    postgres: str, template: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """An API for many tests that leave nothing behind, or do not mind what others left."""
    with new_database(postgres, template) as url:
        sessions = open_database(url)
        yield new_api(sessions, redis_url, tmp_path_factory.mktemp("assets"))
        sessions.kw["bind"].dispose()


@pytest.fixture(scope="module")
def shared_client(shared_api: Api) -> Iterator[TestClient]:
    with speaking(shared_api) as client:
        yield client


@contextmanager
def speaking(api: Api) -> Iterator[TestClient]:
    """Somebody with the first tenant's key."""
    with TestClient(api.app, headers={"Authorization": f"Bearer {api.key}"}) as client:
        yield client


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        yield client


@contextmanager
def serving(api: Api) -> Iterator[str]:
    """The application behind a real server on the loopback interface: its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(api.app, loop="uvloop", http="httptools", ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
    assert not thread.is_alive()
