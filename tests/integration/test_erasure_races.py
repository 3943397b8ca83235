"""Work that comes in the same moment in which its picture is erased: one of the two waits."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.db import Sessions, intake, uses
from app.db.intake import NewAsset
from app.db.models import Asset, Job
from app.domain.job import JobStatus, Lane
from app.erasing import erase
from app.errors import NotFound
from app.storage import LocalStorage, asset_key
from tests.integration.conftest import Api, new_api, speaking
from tests.integration.test_api_jobs import hand_in
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.integration.test_pipeline import announced, decoders, studio  # noqa: F401 - fixtures
from tests.rows import new_asset
from tests.unit.pictures import jpeg
from workers.pipeline import stylize
from workers.studio import Studio

SECONDS = 20.0  #: that anything may take


class Reluctant(LocalStorage):
    """The store, in which nothing is deleted before it is told to go on."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked, self.go_on = Event(), Event()

    def delete(self, *keys: str) -> None:
        self.asked.set()
        assert self.go_on.wait(SECONDS)
        super().delete(*keys)


@pytest.fixture
def api(sessions: Sessions, redis_url: str, tmp_path: Path) -> Api:
    """One that remembers."""
    api = new_api(sessions, redis_url, tmp_path / "assets")
    settings = api.desk.settings.model_copy(update={"cache": True})
    return replace(api, desk=replace(api.desk, settings=settings))


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        yield client


@pytest.fixture
def worker(api: Api, studio: Studio) -> Studio:  # noqa: F811
    """One whose outputs carry no mark: equal drawings are equal bytes."""
    return replace(studio, storage=api.desk.storage, notary=None)


@contextmanager
def erasing(api: Api, client: TestClient, **what: Any) -> Iterator[None]:
    """Inside, the erasure holds its pictures and deletes them once somebody waits for it."""
    client.post("/v1/erasures", json=what)
    assert isinstance(api.desk.storage, LocalStorage)
    store = Reluctant(api.desk.storage.root)
    with ThreadPoolExecutor(2) as threads:
        erasure = threads.submit(erase, api.desk.sessions, store, seconds=SECONDS)
        assert store.asked.wait(SECONDS)
        release = threads.submit(_release, api, store)
        try:
            yield
        finally:
            release.result(SECONDS)
            assert erasure.result(SECONDS)


def _release(api: Api, store: Reluctant) -> None:
    try:
        until(lambda: somebody_waits_in(api.desk.sessions))
    finally:
        store.go_on.set()


def somebody_waits_in(sessions: Sessions) -> bool:
    """Whether one transaction of this database waits for another."""
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with sessions() as session:
        return bool(session.scalar(blocked))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def stored(api: Api, digest: str | None) -> bool:
    """Whether bytes and row agree that it is there, and it is."""
    assert digest is not None
    with api.desk.sessions() as session:
        alive = session.get_one(Asset, (api.ground.tenant_id, digest)).erased_at is None
    try:
        content = api.desk.storage.get(asset_key(api.ground.tenant_id, digest))
    except NotFound:
        assert not alive
        return False
    assert sha256(content).hexdigest() == digest
    return alive


def find(api: Api, job_id: str) -> Job:
    with api.desk.sessions() as session:
        return session.get_one(Job, UUID(job_id))


def test_a_hit_on_what_is_being_erased_is_drawn(
    api: Api, client: TestClient, worker: Studio
) -> None:
    drawn = hand_in(client).json()["id"]
    hand_in(client, quality="71")  # its content stays for this one
    stylize(worker, Lane.INTERACTIVE)
    with erasing(api, client, job=drawn):
        again = hand_in(client).json()
    job = find(api, again["id"])
    assert (job.status, job.output_digest) == (JobStatus.QUEUED, None)
    stylize(worker, Lane.INTERACTIVE)
    job = find(api, again["id"])
    assert (job.status, job.rendered_by) == (JobStatus.SUCCEEDED, None)
    assert stored(api, job.output_digest)


def test_an_upload_that_is_being_erased_is_refused(
    api: Api, client: TestClient, worker: Studio
) -> None:
    upload_id = upload_of(client, jpeg())
    body = {"style": "plain", "input": {"upload_id": upload_id}}
    drawn = client.post("/v1/jobs", json=body).json()["id"]
    stylize(worker, Lane.INTERACTIVE)
    with erasing(api, client, job=drawn):
        late = client.post("/v1/jobs", json=body)
    refusal(late, 422, "unknown-upload")
    assert not stored(api, find(api, drawn).content_digest)


def test_bytes_that_are_being_erased_and_come_again_are_here(
    api: Api, client: TestClient, worker: Studio
) -> None:
    drawn = hand_in(client).json()["id"]
    stylize(worker, Lane.INTERACTIVE)
    with erasing(api, client, job=drawn):
        again = hand_in(client).json()["id"]
    assert stored(api, find(api, again).content_digest)
    assert stylize(worker, Lane.INTERACTIVE)["succeeded"] == 1


def test_an_upload_of_what_is_being_erased_is_here(
    api: Api, client: TestClient, worker: Studio
) -> None:
    drawn = hand_in(client).json()["id"]
    stylize(worker, Lane.INTERACTIVE)
    with erasing(api, client, job=drawn):
        late = announce(client, jpeg())
    assert late["received"] is False
    assert send(client, late, jpeg()).status_code == 204
    assert stored(api, sha256(jpeg()).hexdigest())


def test_a_drawing_that_is_equal_to_what_is_being_erased_is_kept(
    api: Api, client: TestClient, worker: Studio
) -> None:
    first = hand_in(client).json()["id"]
    stylize(worker, Lane.INTERACTIVE)
    second = hand_in(client, strength="0.5").json()["id"]  # the null engine draws the same
    with erasing(api, client, job=first):
        stylize(worker, Lane.INTERACTIVE)
    job = find(api, second)
    assert job.status is JobStatus.SUCCEEDED
    assert job.output_digest == find(api, first).output_digest
    assert stored(api, job.output_digest)


def test_an_asset_that_somebody_else_just_wrote_is_no_news(api: Api) -> None:
    """Two bring the same bytes: who comes second waits, and neither is told to store them."""
    asset = new_asset(api.ground, "the same")
    with api.desk.sessions() as first, ThreadPoolExecutor(1) as threads:
        assert intake.add_assets(first, [asset]) == set()
        second = threads.submit(_add, api, asset)
        until(lambda: somebody_waits_in(api.desk.sessions))
        first.commit()
        assert second.result(SECONDS) == set()


def test_an_erasure_gives_way_to_who_has_begun_to_use_its_picture(
    api: Api, client: TestClient, worker: Studio
) -> None:
    drawn = hand_in(client).json()["id"]
    stylize(worker, Lane.INTERACTIVE)
    asked = client.post("/v1/erasures", json={"job": drawn}).headers["location"]
    content = find(api, drawn).content_digest
    assert content is not None
    with api.desk.sessions() as session:
        assert uses.hold(session, api.ground.tenant_id, [content]) == {content}
        erase(api.desk.sessions, api.desk.storage, seconds=SECONDS)
        assert stored(api, content)
    assert client.get(asked).json()["status"] == "running"
    erase(api.desk.sessions, api.desk.storage, seconds=SECONDS)
    assert client.get(asked).json()["status"] == "finished"
    assert not stored(api, content)


def _add(api: Api, asset: NewAsset) -> set[str]:
    with api.desk.sessions.begin() as session:
        return intake.add_assets(session, [asset])
