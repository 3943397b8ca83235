"""The door before a bucket: bytes go there and come from there without passing through us."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx2
import pytest
from moto.server import ThreadedMotoServer
from starlette.testclient import TestClient

from app.settings import S3StorageSettings
from app.storage import open_storage
from tests.integration.conftest import Api, speaking, work
from tests.integration.test_api_refusals import HOSTILE, refusal
from tests.integration.test_api_uploads import announce
from tests.licensed import new_style
from tests.unit.pictures import jpeg, photo, saved, webp


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def api(shared_api: Api, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    owner = boto3.client("s3", endpoint_url=store_url, region_name="us-east-1")
    owner.create_bucket(Bucket="pictures")
    settings = S3StorageSettings.model_validate(
        {"kind": "s3", "bucket": "pictures", "endpoint_url": store_url}
    )
    desk = replace(shared_api.desk, storage=open_storage(settings))
    return replace(shared_api, desk=desk)


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        yield client


def put(upload: Any, content: bytes) -> httpx2.Response:
    return httpx2.put(upload["url"], content=content, headers=upload["headers"])


def ask(client: TestClient, upload: Any) -> httpx2.Response:
    body = {"style": "plain", "input": {"upload_id": upload["id"]}}
    return client.post("/v1/jobs", json=body)


def test_bytes_go_straight_to_the_bucket_and_come_straight_from_it(
    client: TestClient, store_url: str
) -> None:
    content = jpeg((90, 70))
    upload = announce(client, content)
    assert upload["url"].startswith(store_url)
    refusal(ask(client, upload), 422, "unknown-upload")
    assert put(upload, content).status_code == 200
    assert ask(client, upload).status_code == 202
    assert announce(client, content)["received"] is True
    answer = client.get(f"/v1/assets/{sha256(content).hexdigest()}", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "private, max-age=1800"
    assert httpx2.get(answer.headers["location"]).content == content


def test_a_cdn_in_front_of_the_bucket_gets_the_callers(api: Api, client: TestClient) -> None:
    content = jpeg((91, 70))
    upload = announce(client, content)
    put(upload, content)
    ask(client, upload)
    settings = api.desk.settings.model_copy(update={"cdn_url": "https://cdn.example/"})
    with speaking(replace(api, desk=replace(api.desk, settings=settings))) as behind:
        digest = sha256(content).hexdigest()
        answer = behind.get(f"/v1/assets/{digest}", follow_redirects=False)
    place = f"https://cdn.example/assets/{api.ground.tenant_id}/{digest[:2]}/{digest}?expires="
    assert answer.headers["location"].startswith(place)


def test_what_is_no_picture_is_found_out_before_it_is_used(api: Api, client: TestClient) -> None:
    for content, code in HOSTILE.values():
        if not content:
            continue  # nobody can announce nothing
        upload = announce(client, content)
        put(upload, content)
        before = api.stored()
        refusal(ask(client, upload), 422, code)
        assert api.stored() == before


def test_a_large_webp_is_looked_at_as_a_whole(client: TestClient) -> None:
    noise = photo((480, 400)).effect_spread(400)
    content = saved(noise, "WEBP", lossless=True)
    assert len(content) > 2**18
    upload = announce(client, content, media_type="image/webp")
    put(upload, content)
    assert ask(client, upload).status_code == 202


def test_a_campaign_takes_what_has_arrived(client: TestClient) -> None:
    contents = [webp((60 + number, 50)) for number in range(4)]
    uploads = [announce(client, content, media_type="image/webp") for content in contents]
    for upload, content in zip(uploads[:3], contents, strict=False):
        put(upload, content)
    items = [
        {"custom_id": str(number), "input": {"upload_id": upload["id"]}}
        for number, upload in enumerate([*uploads, announce(client, contents[0])])
    ]
    body = {"name": "spring", "style": "plain", "items": items}
    counts = client.post("/v1/campaigns", json=body).json()["counts"]
    assert (counts["queued"], counts["failed"]) == (4, 1)
    again = client.post("/v1/campaigns", json=body).json()["counts"]
    assert (again["queued"], again["failed"]) == (4, 1)


def test_the_buckets_own_address_ends_with_the_licence(api: Api, client: TestClient) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    with api.desk.sessions.begin() as session:
        new_style(session, valid_until=soon.isoformat())
    upload = announce(client, jpeg())
    put(upload, jpeg())
    body = {"style": "brand", "input": {"upload_id": upload["id"]}}
    job = client.post("/v1/jobs", json=body).json()
    work(api, amount=200)  # behind what other tests left
    asset = client.get(f"/v1/jobs/{job['id']}").json()["output"]["asset_id"]
    moved = client.get(f"/v1/assets/{asset}", follow_redirects=False)
    assert moved.status_code == 307
    query = parse_qs(urlsplit(moved.headers["location"]).query)
    assert 0 < int(query["X-Amz-Expires"][0]) <= 600
    assert int(moved.headers["cache-control"].rpartition("=")[2]) <= 300
    settings = api.desk.settings.model_copy(update={"cdn_url": "https://cdn.test"})
    with speaking(replace(api, desk=replace(api.desk, settings=settings))) as ours:
        link = ours.get(f"/v1/assets/{asset}", follow_redirects=False).headers["location"]
    assert link.startswith("https://cdn.test/")
    assert parse_qs(urlsplit(link).query)["expires"] == [str(int(soon.timestamp()))]
