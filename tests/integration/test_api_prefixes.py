"""Campaigns of what lies in a customer's bucket, over a real S3 protocol."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import ValidationError
from sqlalchemy import select
from starlette.testclient import TestClient

from app.db.models import Job
from app.egress import Egress
from app.errors import BodyTooLarge, SourceForbidden, SourceUnreachable
from app.fetch import Fetcher
from app.settings import BucketSettings, LimitSettings, Settings
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_manifests import OPTIONS, accepted, errors_of, names, refused
from tests.unit.pictures import jpeg
from workers.fetching import Porter, fetch
from workers.gate import Gate
from workers.leases import Leases

KEYS = {
    "spring/": b"",
    "spring/a.jpg": jpeg(),
    "spring/b c/Größe 40.JPG": jpeg((50, 60)),
    "spring/notes.txt": b"not a picture",
    "spring/broken.png": b"nor is this",
    "spring/huge.webp": bytes(2**20 + 1),
    "springtime.jpg": jpeg((70, 60)),
    "winter/c.jpg": jpeg((60, 60)),
}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def api(api: Api, store: str, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The first tenant may read below `spring`, the other one everything of another bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    owner = boto3.client("s3", endpoint_url=store, region_name="us-east-1")
    for bucket in ("photos", "others"):
        owner.create_bucket(Bucket=bucket)
        for key, content in KEYS.items():
            owner.put_object(Bucket=bucket, Key=key, Body=content)
    buckets = [
        {"bucket": "photos", "tenants": ["one"], "prefix": "spring", "endpoint_url": store},
        {"bucket": "others", "tenants": ["other"], "endpoint_url": store},
        {"bucket": "gone", "tenants": ["*"], "endpoint_url": store},
    ]
    config = {"buckets": tuple(BucketSettings.model_validate(one) for one in buckets)}
    desk = replace(api.desk, settings=api.desk.settings.model_copy(update=config))
    return replace(api, desk=desk)


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        yield client


def ask(client: TestClient, prefix: str, **headers: str) -> Any:
    body = {**OPTIONS, "manifest": {"s3_prefix": prefix}}
    return client.post("/v1/campaigns", json=body, headers=headers)


def test_every_picture_under_a_prefix_becomes_an_item(api: Api, client: TestClient) -> None:
    campaign = accepted(ask(client, "s3://photos/spring/"))
    assert names(client, campaign) == ["a.jpg", "b c/Größe 40.JPG", "broken.png"]
    assert errors_of(client, campaign) == [
        (4, "huge.webp", "body-too-large"),
        (5, "notes.txt", "invalid-image"),
    ]
    assert api.tickets.lanes == ["fetch"]


def test_a_prefix_need_not_end_with_a_folder(client: TestClient) -> None:
    campaign = accepted(ask(client, "s3://photos/spring/b"))
    assert names(client, campaign) == ["b c/Größe 40.JPG", "broken.png"]
    one = accepted(ask(client, "s3://photos/spring/a.jpg"))
    assert names(client, one) == ["a.jpg"]


@pytest.mark.parametrize(
    "prefix",
    ["s3://others/", "s3://photos/winter/", "s3://photos", "s3://nobody/", "s3:///spring/"],
)
def test_what_is_not_this_tenants_is_not_read(api: Api, client: TestClient, prefix: str) -> None:
    before = api.stored()
    refused(ask(client, prefix), 422, "source-forbidden")
    assert api.stored() == before


def test_another_tenant_may_not_read_it_either(api: Api, client: TestClient) -> None:
    stranger = f"Bearer {api.stranger}"
    refused(ask(client, "s3://photos/spring/", Authorization=stranger), 422, "source-forbidden")
    assert ask(client, "s3://others/winter/", Authorization=stranger).status_code == 202


def test_no_other_scheme_is_a_prefix(client: TestClient) -> None:
    for prefix in ("https://photos/spring/", "photos/spring", "", "s3://" + "x" * 300):
        refused(ask(client, prefix), 422, "invalid-request")


def test_a_bucket_that_does_not_answer_is_told(client: TestClient) -> None:
    refused(ask(client, "s3://gone/"), 422, "source-unreachable")


def test_a_prefix_with_nothing_below_is_refused(client: TestClient) -> None:
    refused(ask(client, "s3://photos/springs/"), 422, "invalid-manifest")


def test_single_items_may_lie_there_too(api: Api, client: TestClient) -> None:
    def job(url: str) -> Any:
        return client.post("/v1/jobs", json={"style": "plain", "input": {"url": url}})

    assert job("s3://photos/spring/a.jpg").json()["lane"] == "fetch"
    refused(job("s3://others/spring/a.jpg"), 422, "source-forbidden")


def test_the_io_worker_brings_them(api: Api, client: TestClient, tmp_path: Path) -> None:
    campaign = accepted(ask(client, "s3://photos/spring/"))
    settings, sessions = api.desk.settings, api.desk.sessions
    with (
        closing(Egress(allow_private=False)) as egress,
        Leases(sessions, seconds=60, every=60) as leases,
    ):
        porter = Porter(
            worker="io",
            settings=settings,
            sessions=sessions,
            storage=api.desk.storage,
            tickets=api.tickets,
            fetch=Fetcher(egress, settings.limits, settings.buckets).fetch,
            leases=leases,
            gate=Gate(),
        )
        done = [fetch(porter) for _ in range(3)]
    assert sorted(map(str, done)) == ["{'broken': 1}", "{'fetched': 1}", "{'fetched': 1}"]
    with sessions() as session:
        rows = session.scalars(select(Job).order_by(Job.id)).all()
    assert [row.error_code for row in rows] == [None, None, "invalid-image"]
    assert client.get(campaign["urls"]["get"]).json()["counts"]["failed"] == 1


def test_objects_are_fetched_within_limits(api: Api) -> None:
    with closing(Egress(allow_private=False)) as egress:
        fetcher = Fetcher(egress, LimitSettings(body_bytes=100), api.desk.settings.buckets)
        with pytest.raises(BodyTooLarge):
            fetcher.fetch("s3://photos/spring/a.jpg")
        with pytest.raises(SourceUnreachable, match="NoSuchKey"):
            fetcher.fetch("s3://photos/spring/nothing.jpg")
        with pytest.raises(SourceForbidden):
            fetcher.fetch("s3://nobody/a.jpg")


def test_one_bucket_cannot_mean_two_places() -> None:
    here = {"bucket": "photos", "tenants": ["one"], "endpoint_url": "http://a.example"}
    there = {"bucket": "photos", "tenants": ["two"], "endpoint_url": "http://b.example"}
    with pytest.raises(ValidationError, match="one endpoint_url"):
        Settings(_env_file=None, buckets=(here, there))
