"""Polls: what a 304 costs, that it is the answer a route would give, and when to ask again."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text, update
from starlette.testclient import TestClient

from app.api.polls import Kind, Polls, Thing
from app.db import Sessions, control, keys
from app.db.backlog import STRIDE
from app.db.models import Campaign, Job
from app.domain.job import Lane
from app.domain.scopes import Scope
from app.outlook import Outlook
from app.quotas import Meter
from app.settings import QuotaSettings
from tests.integration.conftest import Api, speaking, work
from tests.integration.test_api_campaigns import new_campaign
from tests.integration.test_api_jobs import hand_in

#: What differs between two equal answers.
OWN = {"x-request-id", "ratelimit", "date", "request_id"}


def job(client: TestClient) -> str:
    """Where a new job is."""
    return hand_in(client).headers["location"]


def campaign(client: TestClient) -> str:
    place: str = new_campaign(client, 2)["urls"]["get"]
    return place


THINGS: list[Callable[[TestClient], str]] = [job, campaign]


def poll(client: TestClient, place: str, tags: str | None = None, **headers: str) -> Any:
    """Ask whether it changed; without tags, since just now."""
    tags = client.get(place).headers["etag"] if tags is None else tags
    return client.get(place, headers={"If-None-Match": tags, **headers})


def shape(answer: Any) -> tuple[int, dict[str, str], Any]:
    """What must be equal."""
    headers = {k: v for k, v in answer.headers.items() if k not in OWN}
    body = answer.json() if answer.content else None
    return answer.status_code, headers, body and {k: v for k, v in body.items() if k not in OWN}


@contextmanager
def statements(sessions: Sessions) -> Iterator[list[str]]:
    """Everything that the database is asked meanwhile."""
    engine, asked = sessions.kw["bind"], list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("make", THINGS)
def test_nothing_new_has_the_headers_of_the_answer_it_stands_for(
    client: TestClient, make: Callable[[TestClient], str]
) -> None:
    place = make(client)
    whole = client.get(place)
    nothing = poll(client, place, whole.headers["etag"])
    assert (nothing.status_code, nothing.content) == (304, b"")
    body = {"content-length", "content-type"}
    assert {k: v for k, v in shape(whole)[1].items() if k not in body} == shape(nothing)[1]
    assert {"etag", "cache-control", "retry-after", "ratelimit-policy"} <= set(nothing.headers)
    assert nothing.headers["x-request-id"] != whole.headers["x-request-id"]
    assert "ratelimit" in nothing.headers


@pytest.mark.parametrize("make", THINGS)
def test_a_poll_without_news_is_one_statement(api: Api, make: Callable[[TestClient], str]) -> None:
    calm = replace(api, desk=replace(api.desk, outlook=Outlook(fresh=600)))
    with speaking(calm) as client:
        place = make(client)
        assert poll(client, place).status_code == 304
        with statements(api.desk.sessions) as asked:
            tags = [client.get(place).headers["etag"]]
            before = len(asked)
            assert poll(client, place, tags[0]).status_code == 304
        assert before > 1
        assert len([one for one in asked[before:] if "api_keys" not in one]) == 1


def test_many_who_ask_at_once_are_one_look(api: Api, client: TestClient) -> None:
    jobs = [UUID(job(client).rpartition("/")[2]) for _ in range(5)]
    its = UUID(campaign(client).rpartition("/")[2])
    things = [
        *(Thing(Kind.JOBS, one, api.ground.tenant_id) for one in jobs * 10),
        Thing(Kind.CAMPAIGNS, its, api.ground.tenant_id),
        Thing(Kind.JOBS, jobs[0], uuid4()),
        Thing(Kind.CAMPAIGNS, jobs[0], api.ground.tenant_id),
    ]

    async def ask() -> list[Any]:
        polls = Polls(api.desk)
        found = await asyncio.gather(*(polls.headers(thing) for thing in things))
        await polls.close()
        return found

    with statements(api.desk.sessions) as asked:
        found = asyncio.run(ask())
    assert [one is not None for one in found] == [True] * 51 + [False, False]
    assert len([one for one in asked if "jobs.version" in one]) == 1
    assert len([one for one in asked if "campaigns.version" in one]) == 1


def test_who_hangs_up_leaves_the_others_their_answers(api: Api, client: TestClient) -> None:
    its = Thing(Kind.JOBS, UUID(job(client).rpartition("/")[2]), api.ground.tenant_id)

    async def ask() -> Any:
        polls = Polls(api.desk)
        gone = asyncio.create_task(polls.headers(its))
        stays = asyncio.create_task(polls.headers(its))
        await asyncio.sleep(0)
        gone.cancel()
        answer = await stays
        await polls.close()
        return answer

    assert asyncio.run(ask())["ETag"]


@pytest.mark.parametrize("make", THINGS)
@pytest.mark.parametrize("tags", ["*", '"1-1"', 'W/"x", "y"'])
def test_whoever_may_not_look_is_told_what_a_route_tells(
    api: Api, client: TestClient, make: Callable[[TestClient], str], tags: str
) -> None:
    place = make(client)
    with api.desk.sessions.begin() as session:
        only = keys.create(session, tenant="one", name="submits", scopes=[Scope.SUBMIT])
    asked = [
        (place, {"Authorization": ""}),
        (place, {"Authorization": "Bearer imp_x_y"}),
        (place, {"Authorization": f"Bearer {only}"}),
        (place, {"Authorization": f"Bearer {api.stranger}"}),
        (f"{place.rpartition('/')[0]}/{uuid4()}", {}),
        (f"{place.rpartition('/')[0]}/not-an-id", {}),
    ]
    seen = set()
    for where, headers in asked:
        plain = client.get(where, headers=headers)
        assert shape(poll(client, where, tags, **headers)) == shape(plain)
        seen.add((plain.status_code, plain.json()["code"]))
    assert seen == {(401, "unauthorized"), (403, "insufficient-scope"), (404, "not-found")}


def test_a_poll_is_counted_once_whatever_comes_of_it(api: Api) -> None:
    meter = Meter(api.redis_url, QuotaSettings(requests_per_minute=6, pictures_per_day=0))
    with speaking(replace(api, desk=replace(api.desk, meter=meter))) as client:
        place = job(client)
        etag = client.get(place).headers["etag"]
        answers = [poll(client, place, tags) for tags in (etag, '"other"', etag, '"other"', etag)]
    assert [answer.status_code for answer in answers] == [304, 200, 304, 200, 429]
    assert answers[-1].json()["code"] == "quota-exceeded"
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_poll_survives_a_database_that_was_restarted(api: Api, client: TestClient) -> None:
    place = job(client)
    etag = client.get(place).headers["etag"]
    assert poll(client, place, etag).status_code == 304
    with api.desk.sessions() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert poll(client, place, etag).status_code == 304


def test_odd_spellings_of_an_id_are_the_routes_business(client: TestClient) -> None:
    place = job(client)
    etag = client.get(place).headers["etag"]
    base, _, name = place.rpartition("/")
    for spelled in (name.upper(), name.replace("-", ""), f"urn:uuid:{name}"):
        assert poll(client, f"{base}/{spelled}", etag).status_code == 304
    assert poll(client, place, etag, Prefer="respond-async").status_code == 304


def test_a_campaigns_priority_is_news_of_its_jobs(client: TestClient) -> None:
    place = campaign(client)
    item = client.get(f"{place}/items").json()["data"][0]["urls"]["get"]
    tags = {one: client.get(one).headers["etag"] for one in (place, item)}
    client.post(f"{place}/priority", json={"priority": 3})
    for one, tag in tags.items():
        changed = poll(client, one, tag)
        assert (changed.status_code, changed.json()["priority"]) == (200, 3)


def test_what_waits_for_a_person_is_asked_for_seldom(api: Api, client: TestClient) -> None:
    place = campaign(client)
    item = client.get(f"{place}/items").json()["data"][0]["urls"]["get"]
    assert {poll(client, one).headers["retry-after"] for one in (place, item)} == {"1"}
    client.post(f"{place}/pause")
    for one in (place, item):
        assert client.get(one).headers["retry-after"] == "60"
        assert poll(client, one).headers["retry-after"] == "60"
    client.post(f"{place}/resume")
    assert {poll(client, one).headers["retry-after"] for one in (place, item)} == {"1"}


def test_what_is_over_is_asked_for_no_more(api: Api, client: TestClient) -> None:
    place = campaign(client)
    work(api, amount=2, lane=Lane.CAMPAIGN)
    assert "retry-after" not in poll(client, place).headers


def test_where_nobody_knows_the_end_it_is_a_tenth_of_the_wait(api: Api, client: TestClient) -> None:
    place = campaign(client)
    item = client.get(f"{place}/items").json()["data"][0]["urls"]["get"]
    with api.desk.sessions.begin() as session:
        session.execute(text("UPDATE jobs SET available_at = now() - interval '195 s'"))
        session.execute(text("UPDATE campaigns SET created_at = now() - interval '195 s'"))
    for one in (place, item):
        assert 20 <= int(client.get(one).headers["retry-after"]) <= 30
        assert 20 <= int(poll(client, one).headers["retry-after"]) <= 30


def test_the_pace_of_polls_follows_the_queue(api: Api) -> None:
    with api.desk.sessions.begin() as session:  # a worker is up, a picture takes it a second
        session.execute(
            text(
                "INSERT INTO device_hours"
                " (hour, worker, host, device, engine, up_ms, used_ms, pictures)"
                " VALUES (date_trunc('hour', now()), 'w', 'h', 'cpu', 'null', 1, 1, 1)"
            )
        )
        session.execute(
            text(
                "INSERT INTO paces (lane, tiled, engine, device, pictures, x, xx, device_ms,"
                " x_device_ms, cpu_ms, x_cpu_ms, stored_bytes, signatures, busy_ms)"
                " VALUES ('campaign', false, 'null', 'cpu', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1000000)"
            )
        )
    at_once = Outlook(fresh=0, share=0)
    with speaking(replace(api, desk=replace(api.desk, outlook=at_once))) as client:
        place = new_campaign(client, 300)["urls"]["get"]
        with api.desk.sessions.begin() as session:
            session.execute(update(Job).values(pixels=1_000))  # of a million: a second each
        last = client.get("/v1/jobs?limit=1").json()["data"][0]["urls"]["get"]
        for one in (place, last):
            whole, nothing = client.get(one), poll(client, one)
            assert whole.json()["eta_seconds"] == pytest.approx(300, abs=5)
            assert int(whole.headers["retry-after"]) == pytest.approx(30, abs=1)
            sooner = int(whole.headers["retry-after"]) - int(nothing.headers["retry-after"])
            assert 0 <= sooner <= 1 + STRIDE // 10


def test_what_a_budget_lets_in_is_news(api: Api, client: TestClient) -> None:
    place = new_campaign(client, 2, budget_micros=10**6)["urls"]["get"]
    with api.desk.sessions.begin() as session:
        session.execute(text("UPDATE jobs SET unfunded = true"))
        session.execute(update(Campaign).values(unfunded=2, allotted_micros=0))
    tag = client.get(place).headers["etag"]
    with api.desk.sessions.begin() as session:
        control.set_budget(session, api.ground.tenant_id, UUID(place.rpartition("/")[2]), 10**6)
    changed = poll(client, place, tag)
    assert changed.status_code == 200
    assert changed.json()["cost"]["allotted_micros"] > 0
