"""Requests that are sent twice, because nobody knows whether the first one arrived."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import httpx2
import pytest
from sqlalchemy import event, func, select, text, update
from starlette.testclient import TestClient

from app.api.idempotency import CHUNK, named
from app.db.idempotency import BATCH, forget
from app.db.models import Job, KeptAnswer, Tenant
from app.errors import IdempotencyKeyInvalid
from tests.integration.conftest import Api, work
from tests.integration.test_api_jobs import hand_in
from tests.integration.test_api_tenants import KEYED
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg

KEY = {"Idempotency-Key": '"spring-4711"'}


def order(client: TestClient, key: dict[str, str] = KEY, **changes: Any) -> httpx2.Response:
    """A job in JSON, under a key."""
    body = {"style": "plain", "input": {"url": "https://shop.example/1.jpg"}} | changes
    return client.post("/v1/jobs", json=body, headers=key)


def amount(api: Api) -> int:
    with api.desk.sessions() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def test_the_same_request_again_gets_the_same_answer_and_does_nothing(
    api: Api, client: TestClient
) -> None:
    first, again = order(client), order(client)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (amount(api), len(api.tickets.lanes)) == (1, 1)


def test_quotes_around_a_key_are_not_part_of_it(api: Api, client: TestClient) -> None:
    order(client)
    assert "idempotent-replayed" in order(client, {"Idempotency-Key": "spring-4711"}).headers


def test_the_answer_is_the_first_one_whatever_became_of_the_job(
    api: Api, client: TestClient
) -> None:
    first = hand_in_under_a_key(client)
    work(api)
    assert hand_in_under_a_key(client).json()["status"] == "queued"
    assert client.get(first.headers["location"]).json()["status"] == "succeeded"


def hand_in_under_a_key(client: TestClient) -> httpx2.Response:
    files, fields = {"content": ("picture.jpg", jpeg())}, {"style": "plain"}
    return client.post("/v1/jobs", files=files, data=fields, headers=KEY)


def test_a_form_is_the_same_whatever_its_boundary(api: Api, client: TestClient) -> None:
    first, again = hand_in_under_a_key(client), hand_in_under_a_key(client)
    sent = [answer.request.headers["content-type"] for answer in (first, again)]
    assert sent[0] != sent[1]
    assert again.json() == first.json()
    assert amount(api) == 1


def test_another_body_under_the_same_key_is_refused(api: Api, client: TestClient) -> None:
    order(client)
    answer = order(client, strength=0.5)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert amount(api) == 1


def test_another_address_under_the_same_key_is_refused(client: TestClient) -> None:
    location = order(client).headers["location"]
    answer = client.post(f"{location}/cancel", headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


def test_tenants_do_not_share_keys(api: Api, client: TestClient) -> None:
    first = order(client)
    theirs = order(client, KEY | {"Authorization": f"Bearer {api.stranger}"})
    assert theirs.status_code == 202
    assert theirs.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    "key", ["", " ", '""', '"', "x" * 256, '"' + "x" * 256 + '"', "a b", '"a', "ä", "\x7f"]
)
def test_a_key_that_cannot_be_one_is_refused(api: Api, shared_client: TestClient, key: str) -> None:
    sent = {b"Idempotency-Key": key.encode("latin-1")}
    answer = shared_client.post("/v1/jobs", content=b"{", headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-invalid")


def test_a_key_is_a_string_of_structured_fields() -> None:
    assert named(r'"a \"b\" \\ c"') == r'a "b" \ c'
    assert named("9f86d081") == "9f86d081"
    with pytest.raises(IdempotencyKeyInvalid):
        named('"half')


def test_a_refused_request_may_be_mended_under_its_key(api: Api, client: TestClient) -> None:
    assert order(client, style="nobodys").json()["code"] == "unknown-style"
    assert order(client).status_code == 202
    assert amount(api) == 1


@pytest.fixture
def stuck(api: Api) -> Iterator[tuple[Event, Event]]:
    """A request that has written its job and does not commit: reached, and go on."""
    reached, go_on = Event(), Event()
    engine = api.desk.sessions.kw["bind"]

    def wait(_: Any, statement: str, *__: Any) -> None:
        if "INTO kept_answers" in statement:
            reached.set()
            assert go_on.wait(20)

    event.listen(engine, "after_cursor_execute", lambda *given: wait(given[0], given[2]))
    yield reached, go_on
    go_on.set()


def test_a_request_under_way_is_not_carried_out_beside_itself(
    api: Api, client: TestClient, stuck: tuple[Event, Event]
) -> None:
    reached, go_on = stuck
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(order, client)
        assert reached.wait(20)
        answer = order(client)
        assert amount(api) == 0  # nothing is seen before the answer is kept
        assert api.tickets.lanes == []
        go_on.set()
        assert first.result(20).status_code == 202
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-in-flight")
    assert answer.headers["retry-after"] == "2"
    assert order(client).headers["idempotent-replayed"] == "true"


def test_work_without_its_answer_is_undone(api: Api, client: TestClient) -> None:
    with api.desk.sessions.begin() as session:
        session.execute(text("ALTER TABLE kept_answers ADD CHECK (status <> 202)"))
    answer = order(client)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert amount(api) == 0
    assert api.tickets.lanes == []


def test_who_waits_for_the_end_finds_workers_at_it(api: Api, client: TestClient) -> None:
    with ThreadPoolExecutor(1) as threads:
        upload_id = upload_of(client, jpeg())
        waiting = threads.submit(
            order, client, KEY | {"Prefer": "wait=30"}, input={"upload_id": upload_id}
        )
        while not work(api):
            assert not waiting.done()
        answer = waiting.result(20)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    again = order(client, KEY | {"Prefer": "wait=30"}, input={"upload_id": upload_id})
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert again.headers["location"] == answer.json()["urls"]["get"]


def test_a_key_is_free_again_after_a_day(api: Api, client: TestClient) -> None:
    order(client)
    grow_old(api)
    assert order(client, strength=0.5).status_code == 202
    assert "idempotent-replayed" in order(client, strength=0.5).headers


def test_old_answers_are_removed_a_batch_at_a_time(api: Api, client: TestClient) -> None:
    order(client)
    with api.desk.sessions.begin() as session:
        session.execute(
            text(
                "INSERT INTO kept_answers (tenant_id, key, fingerprint, status, headers, body)"
                " SELECT tenant_id, 'k' || n, fingerprint, status, headers, body"
                " FROM kept_answers, generate_series(1, :batch) AS n"
            ),
            {"batch": BATCH},
        )
    grow_old(api)
    order(client, {"Idempotency-Key": "young"})
    counts = []
    for _ in range(3):
        with api.desk.sessions.begin() as session:
            counts.append(forget(session))
    assert counts == [BATCH, 1, 0]


def grow_old(api: Api) -> None:
    with api.desk.sessions.begin() as session:
        session.execute(
            update(KeptAnswer).values(created_at=func.now() - timedelta(hours=24, seconds=1))
        )


def test_a_large_body_is_compared_whole_and_taken_whole(api: Api, client: TestClient) -> None:
    items = [
        {"custom_id": f"{number:04}", "input": {"url": f"https://shop.example/{number}.jpg"}}
        for number in range(1_000)
    ]
    body = {"name": "spring", "style": "plain", "items": items}
    first = client.post("/v1/campaigns", json=body, headers=KEY)
    assert first.json()["counts"]["total"] == 1_000
    assert client.post("/v1/campaigns", json=body, headers=KEY).json() == first.json()
    body["items"] = [*items[:-1], items[-1] | {"strength": 0.5}]
    answer = client.post("/v1/campaigns", json=body, headers=KEY)
    assert answer.json()["code"] == "idempotency-key-reused"
    assert len(json.dumps(body)) > CHUNK


@pytest.mark.parametrize("path", [path for method, path in KEYED if method == "post"])
def test_every_route_that_does_something_takes_a_key(
    shared_api: Api, shared_client: TestClient, path: str
) -> None:
    """An empty key is refused by who reads it, before anything else is looked at."""
    answer = shared_client.post(path, headers={"Idempotency-Key": '""'})
    assert answer.json()["code"] == "idempotency-key-invalid"
    with shared_api.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Tenant)) == 2


def test_the_document_tells_of_the_key(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        if "post" in methods:
            names = [given["name"] for given in methods["post"].get("parameters", [])]
            assert "Idempotency-Key" in names, path
            assert {"400", "409", "422"} <= methods["post"]["responses"].keys()


def test_a_picture_handed_in_without_a_key_is_new_each_time(api: Api, client: TestClient) -> None:
    assert hand_in(client).json()["id"] != hand_in(client).json()["id"]
    assert amount(api) == 2
