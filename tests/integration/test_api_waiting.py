"""How many pictures of a tenant may wait: told in headers, and never exceeded by a race."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from app import admission
from app.admission import Singles
from app.api.keyring import SECONDS
from app.db import paces, tenants, waiting
from app.domain.job import Lane
from app.domain.quotas import WAITING
from app.errors import QueueFull
from app.outlook import Outlook
from app.quotas import Meter
from app.settings import QuotaSettings
from tests.integration.conftest import Api, fail, speaking, work
from tests.integration.test_api_uploads import upload_of
from tests.rows import new_jobs
from tests.unit.pictures import jpeg

TYPE = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def limited(api: Api, most: int, *, daily: int = 1_000_000) -> Api:
    """The same, where so many pictures of a tenant may wait, and forecasts are as new as can be."""
    settings = QuotaSettings(pictures_waiting=most, pictures_per_day=daily)
    meter, outlook = Meter(api.redis_url, settings), Outlook(fresh=0, share=0)
    desk = replace(api.desk, meter=meter, outlook=outlook, singles=Singles(fresh=0, share=0))
    return replace(api, desk=desk)


def full(answer: Any) -> Any:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["code"], problem["retryable"]) == (TYPE, "queue-full", True)
    assert problem["violated-policies"] == ["waiting"]
    assert int(answer.headers["retry-after"]) == problem["retry_after"] >= 1
    assert '"waiting";q=' in answer.headers["ratelimit-policy"]
    assert '"waiting";r=' in answer.headers["ratelimit"]
    return problem


def job(client: TestClient, **more: Any) -> Any:
    body = {"style": "plain", "input": {"upload_id": upload_of(client, jpeg())}}
    return client.post("/v1/jobs", json=body | more)


def campaign(client: TestClient, amount: int, **more: Any) -> Any:
    given = {"upload_id": upload_of(client, jpeg())}
    items = [{"custom_id": str(number), "input": given} for number in range(amount)]
    body = {"name": "spring", "style": "plain", "items": items}
    return client.post("/v1/campaigns", json=body | more)


def manifest(client: TestClient, amount: int) -> Any:
    upload_id = upload_of(client, jpeg())
    lines = "".join(f"{number},{upload_id}\n" for number in range(amount))
    query = {"options": json.dumps({"name": "spring", "style": "plain"})}
    body = f"custom_id,upload_id\n{lines}"
    return client.post(
        "/v1/campaigns", params=query, content=body, headers={"content-type": "text/csv"}
    )


def waits(api: Api) -> int:
    with api.desk.sessions() as session:
        return api.desk.admission.waiting(session, api.ground.tenant_id)


def jobs_of(api: Api) -> int:
    return api.stored()["jobs"]


def told(client: TestClient, left: int, policy: str = "waiting") -> bool:
    """Whether the headers say so within the second in which they may be old."""
    asked = monotonic()
    while f'"{policy}";r={left}' not in client.get("/v1/jobs").headers["ratelimit"]:
        if monotonic() - asked > SECONDS + 5:
            return False
    return True


# --- what counts ---


@pytest.mark.parametrize("ask", [campaign, manifest])
def test_what_would_wait_beyond_the_limit_is_refused_and_leaves_nothing(
    api: Api, ask: Callable[[TestClient, int], Any]
) -> None:
    api = limited(api, 5, daily=1_000)
    with speaking(api) as client:
        upload_of(client, jpeg())
        uploads = api.stored()["uploads"]
        before, tickets = api.stored(), list(api.tickets.lanes)
        assert "handed in in parts" in full(ask(client, 6))["detail"]
        assert api.stored() == before | {"uploads": uploads + 1}
        assert api.tickets.lanes == tickets
        assert ask(client, 5).status_code == 202
        problem = full(ask(client, 1))
        assert "it would be 6" in problem["detail"]
        full(job(client))
        full(client.post("/v1/jobs", files={"content": jpeg((65, 48))}, data={"style": "plain"}))
        assert (waits(api), jobs_of(api)) == (5, 5)
        assert told(client, 995, "daily")  # what was refused is not counted


def test_what_is_refused_stores_no_picture(api: Api) -> None:
    api = limited(api, 1)
    with speaking(api) as client:
        assert job(client).status_code == 202
        assert told(client, 0)
        files = {"content": jpeg((65, 48))}
        before = api.stored()["files"]
        full(client.post("/v1/jobs", files=files, data={"style": "plain"}))
        assert api.stored()["files"] == before


def test_what_is_drawn_makes_room_and_so_does_what_failed_or_was_withdrawn(api: Api) -> None:
    api = limited(api, 4)
    with speaking(api) as client:
        first = campaign(client, 3).json()
        assert job(client).status_code == 202
        full(job(client))
        work(api, lane=Lane.CAMPAIGN)
        assert job(client).status_code == 202
        fail(api, lane=Lane.CAMPAIGN)
        assert job(client).status_code == 202
        full(job(client))
        client.post(first["urls"]["cancel"])
        assert job(client).status_code == 202
        full(job(client))
        work(api, amount=4)
        assert waits(api) == 0
        assert campaign(client, 4).status_code == 202


def test_what_waits_for_a_reviewer_waits_for_nobody_else(api: Api) -> None:
    api = limited(api, 2)
    with speaking(api) as client:
        assert campaign(client, 1, review="all").status_code == 202
        assert job(client, review="all").status_code == 202
        work(api)
        work(api, lane=Lane.CAMPAIGN)
        assert waits(api) == 0
        assert campaign(client, 2).status_code == 202


def test_what_is_being_drawn_and_what_is_paused_count(api: Api) -> None:
    api = limited(api, 3)
    with speaking(api) as client:
        paused = campaign(client, 2).json()
        assert client.post(paused["urls"]["pause"]).status_code == 200
        assert job(client).status_code == 202
        with api.desk.sessions.begin() as session:
            session.execute(
                text(
                    "UPDATE jobs SET status = 'running', worker = 'w', lease_until = now()"
                    " WHERE campaign_id IS NULL"
                )
            )
        assert waits(api) == 3
        full(job(client))


def test_what_had_been_drawn_before_does_not_wait(api: Api) -> None:
    api = limited(api, 2)
    remembers = api.desk.settings.model_copy(update={"cache": True})
    api = replace(api, desk=replace(api.desk, settings=remembers))
    with speaking(api) as client:
        job(client)
        work(api)
        for _ in range(3):
            assert job(client).json()["status"] == "succeeded"
        assert campaign(client, 2).json()["status"] == "finished"
        assert waits(api) == 0


def test_a_style_to_be_learned_waits_like_a_picture(api: Api) -> None:
    api = limited(api, 1)
    with speaking(api) as client:
        assert job(client).status_code == 202
        picture = {"upload_id": upload_of(client, jpeg((300, 300)))}
        licence = {"spdx": "CC0-1.0", "licensor": "Jane", "evidence": "page 3"}
        words = {"name": "harbour", "title": "Harbour", "artist": "Jane", "year": "2026"}
        order = {**words, "picture": picture, "licence": licence}
        before = api.stored()
        full(client.post("/v1/styles", json=order))
        assert api.stored() == before
        work(api)
        assert client.post("/v1/styles", json=order).status_code == 202
        full(job(client))


def test_what_failed_waits_again_when_it_is_retried(api: Api) -> None:
    api = limited(api, 3)
    with speaking(api) as client:
        broken, alone = campaign(client, 2).json(), job(client).json()
        fail(api, amount=2, lane=Lane.CAMPAIGN)
        fail(api)
        assert campaign(client, 2).status_code == 202
        before = api.stored()
        full(client.post(broken["urls"]["retry_failed"]))
        assert api.stored() == before
        assert client.get(broken["urls"]["get"]).json()["status"] == "finished"
        assert client.post(alone["urls"]["retry"]).status_code == 200
        item = client.get(broken["urls"]["items"]).json()["data"][0]
        full(client.post(item["urls"]["retry"]))
        work(api, amount=2, lane=Lane.CAMPAIGN)
        assert client.post(broken["urls"]["retry_failed"]).status_code == 200
        assert waits(api) == 3


def test_another_tenants_queue_is_its_own(api: Api) -> None:
    api = limited(api, 1)
    with speaking(api) as client, speaking(replace(api, key=api.stranger)) as stranger:
        assert job(client).status_code == 202
        full(job(client))
        assert job(stranger).status_code == 202


def test_without_a_limit_nothing_is_counted(api: Api) -> None:
    api = limited(api, 0)
    with speaking(api) as client:
        answer = campaign(client, 3)
    assert answer.status_code == 202
    assert "waiting" not in answer.headers["ratelimit-policy"] + answer.headers["ratelimit"]


# --- what is told ---


def test_headers_say_how_many_more_may_wait(api: Api) -> None:
    api = limited(api, 9)
    with speaking(api) as client:
        assert told(client, 9)
        answer = campaign(client, 4)
        policy = r'"waiting";q=9;qu="pictures";pk=:[A-Za-z0-9+/]{8}:'
        assert re.search(policy, answer.headers["ratelimit-policy"])
        assert '"waiting";r=5' in client.get("/v1/jobs").headers["ratelimit"]
        work(api, amount=3, lane=Lane.CAMPAIGN)
        assert told(client, 8)


def test_a_tenants_own_number_holds_and_is_shown(api: Api) -> None:
    api = limited(api, 9)
    with speaking(api) as client:
        with api.desk.sessions.begin() as session:
            its = tenants.get(session, api.ground.tenant_id)
            tenants.set_quotas(session, its, {WAITING: 2}, by="operator")
        assert told(client, 2)
        shown = {one["name"]: one for one in client.get("/v1/tenant").json()["quotas"]}
        assert shown["waiting"] == {
            "name": "waiting",
            "quota": 2,
            "window": None,
            "unit": "pictures",
        }
        assert shown["burst"]["window"] == 60
        full(campaign(client, 3))
        assert campaign(client, 2).status_code == 202


def test_who_is_refused_hears_when_there_will_be_room(api: Api) -> None:
    """As long as the pictures that must go first will take, at the pace that was measured."""
    api = limited(api, 40)
    with speaking(api) as client:
        assert campaign(client, 40).status_code == 202
        problem = full(job(client))
        assert "nothing of yours is being drawn" in problem["detail"]
        assert problem["retry_after"] == admission.UNKNOWN
        measured(api, seconds_each=3.0)
        few, many = full(campaign(client, 2)), full(campaign(client, 20))
    assert 4 <= few["retry_after"] <= 9
    assert 55 <= many["retry_after"] <= 75
    assert f"room in {many['retry_after']} seconds" in many["detail"]


def measured(api: Api, *, seconds_each: float) -> None:
    """One worker is up, and that is what pictures of the campaign lane have taken it."""
    with api.desk.sessions.begin() as session:
        session.execute(
            text(
                "INSERT INTO device_hours (hour, worker, host, device, engine, up_ms, used_ms,"
                " pictures) VALUES (date_trunc('hour', now()), 'w', 'here', 'cpu', 'null', 1, 1, 1)"
            )
        )
        x, ms = 64 * 48 / 1e6, seconds_each * 1000
        session.execute(
            text(
                "INSERT INTO paces (lane, engine, device, tiled, pictures, x, xx, device_ms,"
                " x_device_ms, cpu_ms, x_cpu_ms, stored_bytes, signatures, busy_ms) VALUES"
                " ('campaign', 'null', 'cpu', false, 100, 100 * :x, 100 * :x * :x, 100 * :ms,"
                " 100 * :ms * :x, 1, :x, 1, 100, 100 * :ms)"
            ),
            {"x": x, "ms": ms},
        )
        assert paces.workers(session).stylizing == 1


# --- races ---


@contextmanager
def racing(api: Api, threads: int) -> Iterator[Callable[[Callable[[TestClient], Any]], list[int]]]:
    """Do the same thing from so many threads in one moment; answers with the statuses."""
    with speaking(api) as client, ThreadPoolExecutor(threads) as pool:
        together = Barrier(threads)

        def one(ask: Callable[[TestClient], Any]) -> int:
            together.wait(30)
            return int(ask(client).status_code)

        yield lambda ask: list(pool.map(one, [ask] * threads))


@pytest.mark.parametrize("sure", [16, 10_000], ids=["at once, then in turn", "in turn"])
def test_many_single_pictures_at_once_are_as_many_as_may_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch, sure: int
) -> None:
    """With room for more than can be under way nobody waits; near the limit each is counted."""
    monkeypatch.setattr(admission, "SURE", sure)
    api = limited(api, 20)
    with racing(api, 16) as race:
        statuses = [status for _ in range(3) for status in race(job)]
    assert statuses.count(202) == waits(api) == 20
    assert statuses.count(429) == 28


def test_campaigns_and_single_pictures_at_once_never_exceed_it(api: Api) -> None:
    api = limited(api, 30)
    asks: list[Callable[[TestClient], Any]] = [
        lambda client: campaign(client, 7),
        job,
        lambda client: manifest(client, 6),
        job,
    ]
    with speaking(api) as client, ThreadPoolExecutor(8) as pool:
        together = Barrier(8)

        def one(number: int) -> int:
            together.wait(30)
            return int(asks[number % 4](client).status_code)

        for _ in range(3):
            assert set(pool.map(one, range(8))) <= {202, 429}
    assert 30 - 7 < waits(api) <= 30
    assert waits(api) == jobs_of(api)


def test_retries_at_once_never_exceed_it(api: Api) -> None:
    api = limited(api, 6)
    with speaking(api) as client:
        places = []
        for _ in range(4):
            places.append(campaign(client, 2).json()["urls"]["retry_failed"])
            fail(api, amount=2, lane=Lane.CAMPAIGN)
        together = Barrier(4)

        def again(place: str) -> int:
            together.wait(30)
            return int(client.post(place).status_code)

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(again, places)) == [200, 200, 200, 429]
    assert waits(api) == 6


def test_two_that_would_each_fit_alone_do_not_both(api: Api) -> None:
    """One is written and not committed when the other looks: it waits, and counts the first."""
    api = limited(api, 3)
    its = api.desk.admission
    with speaking(api) as client, ThreadPoolExecutor(1) as pool:
        upload_of(client, jpeg())
        with api.desk.sessions.begin() as session:
            insert(session, api, 2)
            its.admit(session, api.ground.tenant_id, 2)
            other = pool.submit(campaign, client, 2)
            until_blocked(api)
            assert not other.done()
        full(other.result(30))


def insert(session: Session, api: Api, amount: int) -> None:
    """As if they had been handed in."""
    new_jobs(session, api.ground, amount)


def until_blocked(api: Api) -> None:
    asked = monotonic()
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    here = "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    while True:
        with api.desk.sessions() as session:
            if session.scalar(text(f"{locks} {here}")):
                return
        assert monotonic() - asked < 20


def test_single_pictures_do_not_wait_for_each_other_while_there_is_room(api: Api) -> None:
    """Two transactions are open at once, each with a picture that it has counted."""
    api = limited(api, admission.SURE + 100)
    its = api.desk.admission
    with api.desk.sessions.begin() as session:
        insert(session, api, 1)
    with api.desk.sessions.begin() as one, api.desk.sessions.begin() as other:
        for session in (one, other):
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            insert(session, api, 1)
            its.admit(session, api.ground.tenant_id, 1)


@pytest.mark.parametrize("old", [{"fresh": 60.0}, {"fresh": 0.0, "share": 1e9}])
def test_a_count_of_single_pictures_is_used_for_a_while(api: Api, old: dict[str, float]) -> None:
    """And the longer it took, the longer it is."""
    its, tenant_id = Singles(**old), api.ground.tenant_id
    with api.desk.sessions.begin() as session:
        assert its.of(session, tenant_id) == 0
        new_jobs(session, api.ground, 3)
        assert its.of(session, tenant_id) == 0
        assert Singles(fresh=0, share=0).of(session, tenant_id) == 3


def test_the_count_is_that_of_the_rows(api: Api) -> None:
    """Campaigns are counted by their counts, and single jobs by rows: together they are all."""
    its, tenant_id = api.desk.admission, api.ground.tenant_id
    with speaking(api) as client:
        places = [campaign(client, 5).json()["urls"] for _ in range(2)]
        for _ in range(3):
            job(client)
        work(api, amount=2, lane=Lane.CAMPAIGN)
        fail(api, lane=Lane.CAMPAIGN)
        work(api)
        client.post(places[1]["cancel"])
        rows = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')"
        with api.desk.sessions() as session:
            assert session.scalar(text(rows)) == its.waiting(session, tenant_id) == 4
            assert waiting.alone(session, tenant_id) == waiting.in_turn(session, tenant_id) == 4
            assert waiting.together(session, tenant_id) == 2
            left_out = UUID(places[0]["get"].rpartition("/")[2])
            assert its.waiting(session, tenant_id, without=left_out) == 2


def test_a_manifest_that_will_not_fit_is_not_read_to_its_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.bulk.CHUNK", 10)
    api = limited(api, 25, daily=1_000)
    with speaking(api) as client:
        read: list[int] = []
        seen = api.desk.meter.foresee if api.desk.meter else None
        assert seen is not None

        def noted(tenant_id: UUID, pictures: int) -> None:
            read.append(pictures)
            seen(tenant_id, pictures)

        monkeypatch.setattr(api.desk.meter, "foresee", noted)
        full(manifest(client, 200))
        assert read == [10, 20]
        assert told(client, 1_000, "daily")


def test_a_manifest_over_the_days_quota_counts_nothing_of_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.bulk.CHUNK", 10)
    api = limited(api, 500, daily=25)
    with speaking(api) as client:
        answer = manifest(client, 30)
        assert (answer.status_code, answer.json()["code"]) == (429, "quota-exceeded")
        assert manifest(client, 25).status_code == 202


def test_the_refusal_is_not_kept_for_who_repeats_the_request(api: Api) -> None:
    api = limited(api, 1)
    with speaking(api) as client:
        job(client)
        given = {"upload_id": upload_of(client, jpeg())}
        body, once = {"style": "plain", "input": given}, {"Idempotency-Key": "again"}
        full(client.post("/v1/jobs", json=body, headers=once))
        work(api)
        assert client.post("/v1/jobs", json=body, headers=once).status_code == 202


def test_the_class_has_a_slug_of_its_own(api: Api) -> None:
    with speaking(api) as client:
        assert client.get(f"/problems/{QueueFull.code}").status_code == 200
        document = client.get("/openapi.json").json()
    for path in ("/v1/jobs", "/v1/campaigns", "/v1/styles"):
        told = document["paths"][path]["post"]["responses"]["429"]
        assert "`queue-full`" in told["description"]
        assert "`quota-exceeded`" in told["description"]
