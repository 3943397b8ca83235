"""Single pictures through the door, followed to their end."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from time import monotonic
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.db import jobs
from app.db.models import Job
from app.domain.job import Lane
from app.errors import InvalidImage
from tests.integration.conftest import Api, work
from tests.unit.pictures import cmyk, held, jpeg, png, ramp_16_bit, truncated, webp


def hand_in(client: TestClient, content: bytes | None = None, **fields: Any) -> httpx2.Response:
    """One picture as a form."""
    files = {"content": ("picture.jpg", content or jpeg())}
    return client.post("/v1/jobs", files=files, data={"style": "plain"} | fields)


def test_a_picture_is_accepted_stored_and_queued(api: Api, client: TestClient) -> None:
    answer = hand_in(client)
    assert answer.status_code == 202
    assert answer.headers["retry-after"] == "1"
    assert api.tickets.lanes == [Lane.INTERACTIVE]
    job = client.get(answer.headers["location"]).json()
    assert job == answer.json()
    assert (job["status"], job["style"], job["lane"]) == ("queued", "plain@1", "interactive")
    digest = sha256(jpeg()).hexdigest()
    assert client.get(f"/v1/assets/{digest}").content == jpeg()


def test_every_option_of_the_form_reaches_the_job(api: Api, client: TestClient) -> None:
    answer = hand_in(
        client,
        strength="0.25",
        format="webp",
        quality="71",
        size="48",
        metadata='{"sku": "4711", "löschen": [1, null]}',
        webhook='{"url": "https://shop.example/hook", "events": ["job.failed"]}',
    )
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert job["parameters"] == {
        "strength": 0.25,
        "output": {"format": "webp", "quality": 71, "size": 48},
    }
    assert job["metadata"] == {"sku": "4711", "löschen": [1, None]}
    with api.desk.sessions() as session:
        row = session.scalars(select(Job)).one()
    assert row.webhook == {"url": "https://shop.example/hook", "events": ["job.failed"]}
    assert row.pixels == 48 * 36


def test_a_form_may_name_only_the_address_of_its_webhook(api: Api, client: TestClient) -> None:
    assert hand_in(client, webhook_url="https://shop.example/hook").status_code == 202
    with api.desk.sessions() as session:
        row = session.scalars(select(Job)).one()
    assert row.webhook is not None
    assert row.webhook["events"] == [
        *("job.canceled", "job.expired", "job.failed", "job.rejected", "job.succeeded")
    ]


@pytest.mark.parametrize(
    "content",
    [png(), webp(), cmyk(), ramp_16_bit(), held(6), truncated(jpeg())],
    ids=["png", "webp", "cmyk", "16-bit", "turned", "truncated behind its header"],
)
def test_whatever_has_a_good_header_is_accepted(client: TestClient, content: bytes) -> None:
    assert hand_in(client, content).status_code == 202


def test_a_picture_behind_an_address_waits_to_be_fetched(api: Api, client: TestClient) -> None:
    body = {"style": "plain@1", "input": {"url": "https://shop.example/4711.jpg"}}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 202
    assert answer.json()["lane"] == "fetch"
    assert api.tickets.lanes == [Lane.FETCH]


def test_a_finished_job_tells_everything(api: Api, client: TestClient) -> None:
    location = hand_in(client).headers["location"]
    work(api)
    answer = client.get(location)
    job = answer.json()
    assert "retry-after" not in answer.headers
    assert (job["status"], job["attempt"], job["error"]) == ("succeeded", 1, None)
    assert job["started_at"] <= job["finished_at"]
    assert job["timings"] == {"engine": 12.5}
    assert job["cost"] == {
        "micros": 274,
        "currency": "USD",
        "rate_card": "2026-12",
        "parts": None,
    }
    output, provenance = job["output"], job["provenance"]
    assert (output["media_type"], output["width"], output["height"]) == ("image/png", 64, 48)
    assert provenance["content_sha256"] == sha256(jpeg()).hexdigest()
    assert provenance["output_sha256"] == output["asset_id"]
    assert provenance["style"] == "plain@1"
    assert provenance["stylizer"] == {"name": "tiny", "version": "1", "digest": "a" * 64}
    assert (provenance["engine"], provenance["device"], provenance["batch_size"]) == (
        "null",
        "cpu",
        4,
    )
    assert len(provenance["render_key"]) == 64
    picture = client.get(output["url"], headers={"Authorization": ""})
    assert sha256(picture.content).hexdigest() == output["asset_id"]


def test_a_failed_job_says_why(api: Api, client: TestClient) -> None:
    location = hand_in(client, truncated(jpeg())).headers["location"]
    with api.desk.sessions.begin() as session:
        [row] = jobs.claim(session, Lane.INTERACTIVE, worker="w", limit=1, pixels=2**40, lease=60.0)
        error = InvalidImage("the file ends in the middle")
        jobs.break_off(session, jobs.Held(row.id, row.attempt), error, failures=0, by="w")
    job = client.get(location).json()
    assert (job["status"], job["output"], job["cost"]) == ("failed", None, None)
    assert job["error"] == {
        "code": "invalid-image",
        "title": "The picture cannot be read",
        "detail": "the file ends in the middle",
        "retryable": False,
        "billed": False,
    }


def test_polling_costs_nothing_until_the_job_changes(api: Api, client: TestClient) -> None:
    first = hand_in(client)
    etag = {"If-None-Match": first.headers["etag"]}
    location = first.headers["location"]
    again = client.get(location, headers=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["retry-after"] == "1"
    assert again.headers["cache-control"] == "private, no-cache"
    work(api)
    changed = client.get(location, headers=etag)
    assert changed.status_code == 200
    assert changed.json()["status"] == "succeeded"


@pytest.mark.parametrize("tag", ['"', "no-quotes", 'W/"', "\xff", ",,,", '"1-1" , '])
def test_an_odd_if_none_match_matches_nothing(client: TestClient, tag: str) -> None:
    location = hand_in(client).headers["location"]
    headers = {b"If-None-Match": tag.encode("latin-1")}
    assert client.get(location, headers=headers).status_code == 200


def test_a_weak_etag_among_others_matches(client: TestClient) -> None:
    first = hand_in(client)
    tags = f'"other", W/{first.headers["etag"]}'
    headers = {"If-None-Match": tags}
    assert client.get(first.headers["location"], headers=headers).status_code == 304


def test_a_request_that_waits_hears_of_the_end_at_once(api: Api, client: TestClient) -> None:
    location = hand_in(client).headers["location"]
    with ThreadPoolExecutor(1) as threads:
        start = monotonic()
        waiting = threads.submit(client.get, location, headers={"Prefer": "wait=30"})
        work(api)
        answer = waiting.result(timeout=20)
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=30"
    assert monotonic() - start < 10


def test_handing_in_and_waiting_is_one_request(api: Api, client: TestClient) -> None:
    with ThreadPoolExecutor(1) as threads:
        files = {"content": jpeg()}
        waiting = threads.submit(
            client.post,
            "/v1/jobs",
            files=files,
            data={"style": "plain"},
            headers={"Prefer": "respond-async, wait=30"},
        )
        deadline = monotonic() + 20
        while not work(api):
            assert monotonic() < deadline
        answer = waiting.result(timeout=20)
    assert answer.status_code == 200
    assert answer.json()["output"]["width"] == 64


def test_waiting_ends_when_its_time_does(client: TestClient) -> None:
    answer = client.post(
        "/v1/jobs",
        files={"content": jpeg()},
        data={"style": "plain"},
        headers={"Prefer": "wait=1"},
    )
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=1"


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=x", "wait", "wait=1.5", ";;;,", "handling=x"])
def test_preferences_we_do_not_know_are_left_alone(client: TestClient, prefer: str) -> None:
    answer = client.post(
        "/v1/jobs",
        files={"content": jpeg()},
        data={"style": "plain"},
        headers={"Prefer": prefer},
    )
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


def test_a_job_can_be_withdrawn_once(api: Api, client: TestClient) -> None:
    location = hand_in(client, webhook_url="https://shop.example/hook").headers["location"]
    answer = client.post(f"{location}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert api.tickets.deliveries == 1
    again = client.post(f"{location}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "illegal-transition")


def test_a_finished_job_cannot_be_withdrawn(api: Api, client: TestClient) -> None:
    location = hand_in(client).headers["location"]
    work(api)
    answer = client.post(f"{location}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal-transition")
    assert client.get(location).json()["status"] == "succeeded"


def test_jobs_are_listed_newest_first_page_by_page(api: Api, client: TestClient) -> None:
    ids = [hand_in(client).json()["id"] for _ in range(5)]
    listed: list[str] = []
    address = "/v1/jobs?limit=2"
    while address:
        answer = client.get(address)
        page = answer.json()
        listed += [job["id"] for job in page["data"]]
        assert page["has_more"] == (page["next_cursor"] is not None) == ("link" in answer.headers)
        address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert listed == ids[::-1]


def test_a_listing_can_be_narrowed_to_a_status(api: Api, client: TestClient) -> None:
    ids = [hand_in(client).json()["id"] for _ in range(3)]
    ended = [str(job_id) for job_id in work(api, amount=2)]
    assert ended == ids[:2]
    page = client.get("/v1/jobs", params={"status": "succeeded"}).json()
    assert [job["id"] for job in page["data"]] == ended[::-1]


def test_a_cursor_opens_only_its_own_listing(api: Api, client: TestClient) -> None:
    for _ in range(2):
        hand_in(client)
    cursor = client.get("/v1/jobs?limit=1").json()["next_cursor"]
    assert client.get("/v1/campaigns", params={"cursor": cursor}).status_code == 400
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    answer = client.get("/v1/jobs", params={"cursor": cursor}, headers=stranger)
    assert answer.status_code == 400


def test_a_job_nobody_has_heard_of_is_not_found(client: TestClient) -> None:
    for job_id in (UUID(int=7), "nonsense", "%00", "%ED%A0%80"):
        answer = client.get(f"/v1/jobs/{job_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("depth", [10, 100, 180])
def test_deep_metadata_comes_back_as_it_was(client: TestClient, depth: int) -> None:
    metadata: dict[str, Any] = {}
    for _ in range(depth):
        metadata = {"a": metadata}
    answer = hand_in(client, metadata=json.dumps(metadata))
    assert answer.status_code == 202
    assert client.get(answer.headers["location"]).json()["metadata"] == metadata
    assert client.get("/v1/jobs").json()["data"][0]["metadata"] == metadata
