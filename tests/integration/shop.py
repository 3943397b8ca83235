"""A service in one process: the API's desk, a stylizing worker, and somebody with a key."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from starlette.testclient import TestClient

from app.api.__main__ import open_desk
from app.api.deps import State, opened
from app.api.main import create_app
from app.catalog import Catalog, sync
from app.db import keys
from app.domain.job import Lane
from app.outlook import Outlook
from app.settings import (
    EngineSettings,
    LocalStorageSettings,
    MarkingSettings,
    Settings,
    WorkerSettings,
)
from app.submission import Desk
from tests.integration.test_api_uploads import upload_of
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg
from workers.opening import open_studio
from workers.pipeline import stylize
from workers.studio import Studio

Size = tuple[int, int]


class Shop:
    """All parts are real; only nobody serves tickets until `serve` does."""

    def __init__(self, desk: Desk, studio: Studio, client: TestClient) -> None:
        self.desk, self.studio, self.client = desk, studio, client

    def campaign(self, sizes: list[Size], **about: Any) -> dict[str, Any]:
        """The body of a campaign over pictures of these sizes."""
        items = [
            {"custom_id": str(number), "input": {"upload_id": upload_of(self.client, jpeg(size))}}
            for number, size in enumerate(sizes)
        ]
        return {"name": "spring", "style": "great-wave", "items": items} | about

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def serve(self, lane: Lane = Lane.CAMPAIGN) -> int:
        """Until nothing waits in the lane; how many pictures that were."""
        drawn = 0
        while ended := stylize(self.studio, lane):
            drawn += ended["succeeded"]
        return drawn

    def tell(self) -> None:
        """What the worker reports every few seconds."""
        its = self.studio
        its.meter.report(its.sessions, its.worker, its.device, its.engine)


@contextmanager
def open_shop(
    database_url: str, redis_url: str, directory: Path, kind: Literal["onnx", "null"] = "null"
) -> Iterator[Shop]:
    """A shop with everything of the catalog."""
    settings = Settings.model_validate(
        {
            "DATABASE_URL": database_url,
            "BROKER_URL": redis_url,
            "secret_key": "a long random text",
            "public_url": "http://testserver",
            "storage": LocalStorageSettings(root=directory),
            "engine": EngineSettings(kind=kind),
            "cache": False,  # the same pictures are drawn over and over
            "marking": MarkingSettings(development=directory / "marking"),
            "worker": WorkerSettings(heartbeat_seconds=60, lease_seconds=120),
        }
    )
    tickets = ListTickets()
    desk = replace(open_desk(settings), tickets=tickets, outlook=Outlook(fresh=0, share=0))
    with desk.sessions.begin() as session:
        sync(session, Catalog(settings.catalog))
        key = keys.create(session, tenant="one", name="test")
    headers = {"Authorization": f"Bearer {key}"}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with opened(desk, redis_url) as state:
            yield state

    with (
        open_studio(settings, tickets) as studio,
        TestClient(create_app(lifespan), headers=headers) as client,
    ):
        yield Shop(desk, studio, client)
    desk.sessions.kw["bind"].dispose()
    studio.sessions.kw["bind"].dispose()
