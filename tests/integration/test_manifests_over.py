"""Uploaded manifests go when their time is over: their bytes, and the promises that led to them."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text, update
from starlette.testclient import TestClient

from app.db import erasures, manifests
from app.db.models import ErasureKind, Upload
from app.erasing import clean, erase
from app.errors import StorageUnavailable
from app.settings import S3StorageSettings
from app.storage import LocalStorage, manifest_key, open_storage
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_manifests import CSV, JSONL, OPTIONS, accepted, jsonl
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.integration.test_io_worker import until
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg
from workers.sweep import sweep

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def body_of(name: str = "1") -> bytes:
    """The same bytes under the same name."""
    return jsonl({"custom_id": name, "input": {"url": "https://a.example/x.jpg"}})


def sent(client: TestClient, name: str = "1") -> Any:
    """A manifest that has arrived, as its promise tells of it."""
    body = body_of(name)
    promise = announce(client, body, media_type=JSONL)
    assert send(client, promise, body).status_code == 204
    return promise


def older(api: Api, promise: Any, by: timedelta) -> None:
    """As if it had been given so long ago."""
    past = {"created_at": Upload.created_at - by, "expires_at": Upload.expires_at - by}
    with api.desk.sessions.begin() as session:
        session.execute(update(Upload).where(Upload.id == UUID(promise["id"])).values(past))


def cleaned(api: Api) -> int:
    return clean(api.desk.sessions, api.desk.storage)


def listed(api: Api) -> list[Path]:
    """The manifests in the store."""
    assert isinstance(api.desk.storage, LocalStorage)
    return [path for path in (api.desk.storage.root / "manifests").rglob("*") if path.is_file()]


def order(client: TestClient, promise: Any) -> Any:
    return client.post("/v1/campaigns", json={**OPTIONS, "manifest": {"upload_id": promise["id"]}})


def test_a_manifest_can_be_used_for_a_day_and_goes_an_hour_later(
    api: Api, client: TestClient
) -> None:
    promise = sent(client)
    older(api, promise, DAY - MINUTE)
    assert cleaned(api) == 0
    accepted(order(client, promise))
    older(api, promise, 2 * MINUTE)
    refusal(order(client, promise), 422, "unknown-upload")
    assert cleaned(api) == 0
    older(api, promise, HOUR)
    pictures = api.stored()["assets"]
    assert (cleaned(api), listed(api)) == (1, [])
    with api.desk.sessions() as session:
        assert session.get(Upload, UUID(promise["id"])) is None
    assert api.stored()["assets"] == pictures
    refusal(order(client, promise), 422, "unknown-upload")
    assert cleaned(api) == 0


def test_the_same_bytes_stay_as_long_as_a_younger_promise_leads_to_them(
    api: Api, client: TestClient
) -> None:
    first, second = sent(client), sent(client)
    other = sent(client, "2")
    for promise in (first, other):
        older(api, promise, 2 * DAY)
    assert cleaned(api) == 1
    assert len(listed(api)) == 1
    accepted(order(client, second))
    older(api, second, 2 * DAY)
    assert (cleaned(api), listed(api)) == (1, [])


def test_what_was_announced_and_never_came_leaves_no_promise(api: Api, client: TestClient) -> None:
    promise = announce(client, b"custom_id,url\n", media_type=CSV)
    older(api, promise, 2 * DAY)
    assert cleaned(api) == 1
    assert api.stored()["uploads"] == 0


def test_another_tenants_equal_manifest_is_its_own(api: Api, client: TestClient) -> None:
    with speaking(replace(api, key=api.stranger)) as stranger:
        theirs, ours = sent(stranger), sent(client)
        older(api, ours, 2 * DAY)
        assert cleaned(api) == 1
        assert len(listed(api)) == 1
        accepted(order(stranger, theirs))


def test_pictures_are_no_manifests(api: Api, client: TestClient) -> None:
    older(api, {"id": upload_of(client, jpeg())}, 9 * DAY)
    before = api.stored()
    assert cleaned(api) == 0
    assert api.stored() == before


def test_what_is_being_promised_again_is_left_alone(api: Api, client: TestClient) -> None:
    """Its new bytes may come at any moment, and are not those that go."""
    promise = sent(client)
    older(api, promise, 2 * DAY)
    with api.desk.sessions.begin() as session:
        digest = session.get_one(Upload, UUID(promise["id"])).sha256 or ""
        manifests.promised(session, api.ground.tenant_id, digest)
        assert cleaned(api) == 0
        assert len(listed(api)) == 1
    assert cleaned(api) == 1


def test_who_promises_waits_for_who_deletes(api: Api, client: TestClient) -> None:
    promise = sent(client)
    older(api, promise, 2 * DAY)
    again: list[Any] = []
    with api.desk.sessions.begin() as session:
        due = manifests.over(session)
        assert len(due) == len(manifests.forgettable(session, due)) == 1
        other = Thread(target=lambda: again.append(announce(client, body_of(), media_type=JSONL)))
        other.start()
        until(lambda: waiting(api) == 1)
        assert again == []
        api.desk.storage.delete(manifest_key(due[0].tenant_id, due[0].sha256))
    other.join(20)
    assert again[0]["received"] is False
    assert send(client, again[0], body_of()).status_code == 204
    assert cleaned(api) == 0
    accepted(order(client, again[0]))


def waiting(api: Api) -> int:
    """How many wait for an advisory lock in this database."""
    asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    here = "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    with api.desk.sessions() as session:
        return int(session.scalar(text(f"{asked} {here}")) or 0)


def test_more_than_a_batch_goes_in_one_sweep(api: Api, client: TestClient) -> None:
    with api.desk.sessions.begin() as session:
        session.execute(
            text(
                "INSERT INTO uploads (id, tenant_id, sha256, media_type, created_at, expires_at)"
                " SELECT gen_random_uuid(), :tenant, repeat(lpad(n::text, 4, '0'), 16), 'text/csv',"
                " now() - interval '3 days', now() - interval '2 days'"
                " FROM generate_series(1, 250) AS n"
            ),
            {"tenant": api.ground.tenant_id},
        )
    found = sweep(api.desk.sessions, ListTickets(), lambda _: 0, api.desk.storage)
    assert found["cleaned"] == 3
    assert api.stored()["uploads"] == 0


def test_a_store_that_is_away_keeps_the_promise_for_the_next_time(
    api: Api, client: TestClient
) -> None:
    promise = sent(client)
    older(api, promise, 2 * DAY)
    assert isinstance(api.desk.storage, LocalStorage)
    root = api.desk.storage.root
    root.rename(root.with_name("away"))
    with pytest.raises(StorageUnavailable):
        cleaned(api)
    root.with_name("away").rename(root)
    assert len(listed(api)) == 1
    assert (cleaned(api), listed(api)) == (1, [])


def test_one_that_was_erased_and_came_late_goes_with_its_promise(
    api: Api, client: TestClient
) -> None:
    """The store's own link lives on for a day: whoever has it may still bring the bytes."""
    promise = sent(client)
    with api.desk.sessions.begin() as session:
        its = (api.ground.tenant_id, ErasureKind.ALL, str(api.ground.tenant_id))
        erasures.request(session, *its, by="operator")
    assert erase(api.desk.sessions, api.desk.storage)
    assert listed(api) == []
    older(api, promise, DAY - MINUTE)
    assert cleaned(api) == 0
    older(api, promise, HOUR + MINUTE)
    assert cleaned(api) == 1


def test_a_bucket_is_cleaned_likewise(
    api: Api, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        bucket = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        bucket.create_bucket(Bucket="pictures")
        settings = S3StorageSettings.model_validate(
            {"kind": "s3", "bucket": "pictures", "endpoint_url": url}
        )
        storage = open_storage(settings)
        body = body_of()
        with speaking(replace(api, desk=replace(api.desk, storage=storage))) as its:
            promise = announce(its, body, media_type=JSONL)
        bucket.put_object(
            Bucket="pictures",
            Key=manifest_key(api.ground.tenant_id, sha256(body).hexdigest()),
            Body=body,
        )
        older(api, promise, 2 * DAY)
        assert clean(api.desk.sessions, storage) == 1
        assert bucket.list_objects_v2(Bucket="pictures")["KeyCount"] == 0
    finally:
        server.stop()
