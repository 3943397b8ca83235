"""What happens to jobs and campaigns, as whoever watches sees it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, text, update
from starlette.testclient import TestClient

from app.db.models import EventRow, JobHistory
from app.domain.events import EventType
from app.domain.job import Lane
from tests.integration.conftest import Api, serving, work
from tests.integration.test_api_campaigns import new_campaign
from tests.integration.test_api_handover import campaign_of
from tests.integration.test_api_jobs import hand_in
from tests.integration.test_api_reviews import APPROVE
from tests.integration.test_api_steering import new_job


@pytest.fixture
def watcher(api: Api) -> Iterator[httpx2.Client]:
    """Somebody at a real server: streams are what they are only over a real connection."""
    headers = {"Authorization": f"Bearer {api.key}"}
    with (
        serving(api) as url,
        httpx2.Client(base_url=url, headers=headers, timeout=20) as client,
    ):
        yield client


def told(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream, as a browser takes them apart."""
    event: dict[str, Any] = {}
    for line in lines:
        if not line and "data" in event:
            yield {**event, "data": json.loads(event["data"])}
        if not line:
            event = {}
            continue
        name, _, value = line.partition(": ")
        event[name] = value


def all_of(watcher: httpx2.Client, place: str, **headers: str) -> list[dict[str, Any]]:
    with watcher.stream("GET", f"{place}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(told(answer.iter_lines()))


def test_a_job_is_watched_from_the_first_moment_to_the_last(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    place = hand_in(client).headers["location"]
    with watcher.stream("GET", f"{place}/events") as answer:
        events = told(answer.iter_lines())
        first = next(events)
        assert (first["event"], first["id"]) == ("job.queued", "3")
        work(api)
        rest = list(events)  # it ends by itself
    assert [event["event"] for event in rest] == ["job.running", "job.succeeded"]
    assert [event["data"]["sequence"] for event in rest] == [5, 7]
    assert place.endswith(rest[-1]["data"]["job_id"])


def test_a_stream_goes_on_where_it_was_left(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    place = hand_in(client).headers["location"]
    work(api)
    assert [event["id"] for event in all_of(watcher, place)] == ["3", "5", "7"]
    rest = all_of(watcher, place, **{"Last-Event-ID": "5"})
    assert [event["event"] for event in rest] == ["job.succeeded"]


def test_who_has_seen_the_end_is_told_to_stop(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    place = hand_in(client).headers["location"]
    work(api)
    assert watcher.get(f"{place}/events", headers={"Last-Event-ID": "7"}).status_code == 204


@pytest.mark.parametrize("last", ["4", "999999999", "x", "-1", "1.5", "9" * 40, "1 2"])
def test_events_that_have_not_been_are_refused(
    api: Api, client: TestClient, watcher: httpx2.Client, last: str
) -> None:
    place = hand_in(client).headers["location"]
    answer = watcher.get(f"{place}/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["code"]) == (400, "last-event-id-invalid")


def test_a_campaign_is_watched_to_its_end(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    place = campaign_of(client, ["1", "2", "3"])
    with watcher.stream("GET", f"{place}/events") as answer:
        events = told(answer.iter_lines())
        first = next(events)
        assert (first["event"], first["data"]["left"]) == ("campaign.progress", 3)
        work(api, lane=Lane.CAMPAIGN)
        second = next(events)
        assert (second["event"], second["data"]["succeeded"]) == ("campaign.progress", 1)
        work(api, amount=2, lane=Lane.CAMPAIGN)
        [last] = list(events)
    assert (last["event"], last["data"]["left"]) == ("campaign.completed", 0)
    assert last["data"]["cost_micros"] == 3 * 274
    assert int(first["id"]) < int(second["id"]) < int(last["id"])
    again = watcher.get(f"{place}/events", headers={"Last-Event-ID": last["id"]})
    assert again.status_code == 204
    future = watcher.get(f"{place}/events", headers={"Last-Event-ID": str(int(last["id"]) + 1)})
    assert future.json()["code"] == "last-event-id-invalid"


def test_what_came_while_nobody_watched_is_one_event(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    place = campaign_of(client, ["1", "2"])
    work(api, lane=Lane.CAMPAIGN)
    work(api, lane=Lane.CAMPAIGN)
    [event] = all_of(watcher, place, **{"Last-Event-ID": "1"})
    assert event["event"] == "campaign.completed"


def sent(api: Api, about: str) -> dict[int, str]:
    """What webhooks tell of a job or a campaign, by number."""
    with api.desk.sessions() as session:
        rows = session.execute(
            select(EventRow.sequence, EventRow.type).where(
                text("CAST(:id AS uuid) IN (job_id, campaign_id)"),
                EventRow.type.startswith(about.split("/")[2].removesuffix("s")),
            ),
            {"id": about.rpartition("/")[2]},
        )
        return {row.sequence: row.type for row in rows}


def test_a_change_has_one_number_whoever_tells_of_it(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    hook = {"url": "https://shop.example/hook", "events": [kind.value for kind in EventType][:8]}
    place = new_job(client, webhook=hook, review="all")["urls"]["get"]
    work(api)
    client.post(place.replace("jobs", "reviews"), json=APPROVE)
    streamed = {event["data"]["sequence"]: event for event in all_of(watcher, place)}
    told = sent(api, place)
    assert {told[number] for number in streamed.keys() & told.keys()} == {
        *("job.started", "job.in_review", "job.succeeded")
    }
    for number in streamed.keys() & told.keys():
        assert streamed[number]["id"] == str(number)
        assert told[number] == streamed[number]["event"].replace("running", "started")
    assert {told[number] for number in told.keys() - streamed.keys()} == {"job.reviewed"}
    assert [streamed[number]["event"] for number in sorted(streamed.keys() - told.keys())] == [
        "job.queued"
    ]


def test_the_end_of_a_campaign_keeps_its_number(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    hook = {"url": "https://shop.example/hook", "events": ["campaign.completed"]}
    place = new_campaign(client, 3, webhook=hook, budget_micros=10**6)["urls"]["get"]
    work(api, lane=Lane.CAMPAIGN)
    client.post(f"{place}/cancel")
    [number] = sent(api, place)
    for _ in range(2):
        [end] = all_of(watcher, place)
        assert (end["event"], end["id"]) == ("campaign.completed", str(number))
        assert end["data"]["sequence"] == number
        client.post(f"{place}/budget", json={"budget_micros": 2 * 10**6})  # changes, and no event
    assert int(client.get(place).headers["etag"].strip('"').split("-")[0]) > number


def test_what_happened_before_numbers_were_kept_comes_before_all_that_follows(
    api: Api, client: TestClient, watcher: httpx2.Client
) -> None:
    place = hand_in(client).headers["location"]
    with api.desk.sessions.begin() as session:
        session.execute(update(JobHistory).values(version=None))
    work(api)
    assert [event["id"] for event in all_of(watcher, place)] == ["1", "5", "7"]
    rest = all_of(watcher, place, **{"Last-Event-ID": "1"})
    assert [event["event"] for event in rest] == ["job.running", "job.succeeded"]
