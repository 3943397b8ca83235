"""Campaigns and jobs that are paused, put first, given a deadline or a budget, and tried again."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.domain.job import Lane
from tests.integration.conftest import Api, fail, work
from tests.integration.test_api_campaigns import new_campaign
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg
from workers.sweep import sweep


def new_job(client: TestClient, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    body = {"style": "plain", "input": {"upload_id": upload_of(client, jpeg())}} | changes
    answer = client.post("/v1/jobs", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_campaign_is_paused_and_goes_on(api: Api, client: TestClient) -> None:
    campaign = new_campaign(client, 3)
    paused = client.post(campaign["urls"]["pause"]).json()
    assert (paused["status"], paused["eta_seconds"]) == ("paused", None)
    assert paused["paused_at"] is not None
    assert client.post(campaign["urls"]["pause"]).json() == paused
    assert work(api, amount=3, lane=Lane.CAMPAIGN) == []
    api.tickets.lanes.clear()
    assert client.post(campaign["urls"]["resume"]).json()["status"] == "running"
    assert set(api.tickets.lanes) == {Lane.CAMPAIGN}
    assert len(work(api, amount=3, lane=Lane.CAMPAIGN)) == 3
    for word in ("pause", "resume"):
        refusal(client.post(campaign["urls"][word]), 409, "illegal-transition")


def test_a_paused_campaign_can_be_withdrawn(client: TestClient) -> None:
    campaign = new_campaign(client, 3)
    client.post(campaign["urls"]["pause"])
    ended = client.post(campaign["urls"]["cancel"]).json()
    assert (ended["status"], ended["counts"]["canceled"]) == ("finished", 3)


def test_what_failed_is_tried_again(api: Api, client: TestClient) -> None:
    bad = {"custom_id": "bad", "input": {"url": "http://localhost/"}}
    good = {"custom_id": "good", "input": {"upload_id": upload_of(client, jpeg())}}
    campaign = new_campaign(client, 0, items=[bad, good])
    fail(api, lane=Lane.CAMPAIGN)
    ended = client.get(campaign["urls"]["get"])
    assert ended.json()["counts"]["failed"] == 2
    etag = {"If-None-Match": ended.headers["etag"]}
    assert client.get(campaign["urls"]["get"], headers=etag).status_code == 304
    api.tickets.lanes.clear()
    again = client.post(campaign["urls"]["retry_failed"]).json()
    assert (again["status"], again["finished_at"]) == ("running", None)
    assert again["counts"]["queued"] == 2  # an address is tried anew
    assert set(api.tickets.lanes) == {Lane.CAMPAIGN, Lane.FETCH}
    assert client.get(campaign["urls"]["get"], headers=etag).status_code == 200
    [job_id] = work(api, lane=Lane.CAMPAIGN)
    assert client.get(f"/v1/jobs/{job_id}").json()["attempt"] == 2
    refusal(client.post(campaign["urls"]["retry_failed"]), 409, "illegal-transition")


def test_one_job_is_tried_again(api: Api, client: TestClient) -> None:
    job = new_job(client)
    refusal(client.post(job["urls"]["retry"]), 409, "illegal-transition")
    fail(api)
    again = client.post(job["urls"]["retry"]).json()
    assert (again["status"], again["error"], again["attempt"]) == ("queued", None, 1)
    work(api)
    assert client.get(job["urls"]["get"]).json()["status"] == "succeeded"
    refusal(client.post(job["urls"]["retry"]), 409, "illegal-transition")


def test_priorities_are_shown_and_bounded(client: TestClient) -> None:
    campaign, job = new_campaign(client, 1, priority=-3), new_job(client, priority=2)
    assert (campaign["priority"], job["priority"]) == (-3, 2)
    place = f"/v1/campaigns/{campaign['id']}/priority"
    assert client.post(place, json={"priority": 10}).json()["priority"] == 10
    items = client.get(campaign["urls"]["items"]).json()["data"]
    assert [item["priority"] for item in items] == [10]
    changed = client.post(f"/v1/jobs/{job['id']}/priority", json={"priority": -10})
    assert changed.json()["priority"] == -10
    for wrong in ({"priority": 11}, {"priority": -11}, {"priority": "high"}, {}, {"rank": 1}):
        for path in (place, f"/v1/jobs/{job['id']}/priority"):
            refusal(client.post(path, json=wrong), 422, "invalid-request")
    client.post(job["urls"]["cancel"])
    late = client.post(f"/v1/jobs/{job['id']}/priority", json={"priority": 1})
    refusal(late, 409, "illegal-transition")


@pytest.mark.parametrize(
    ("said", "seconds"), [("600", 600), ("10m", 600), ("2h", 7200), ("1d", 86400), ("90s", 90)]
)
def test_a_deadline_may_be_a_header_or_a_field(
    shared_client: TestClient, said: str, seconds: int
) -> None:
    jobs = [
        new_job(shared_client, headers={"Cancel-After": said}),
        new_job(shared_client, cancel_after=said),
        new_job(shared_client, cancel_after=seconds),
        new_job(shared_client, headers={"Cancel-After": said}, cancel_after=seconds),
    ]
    form = shared_client.post(
        "/v1/jobs",
        files={"content": jpeg()},
        data={"style": "plain", "cancel_after": said, "priority": "3", "review": "all"},
    )
    for job in [*jobs, form.json()]:
        created, deadline = (
            datetime.fromisoformat(job[name]) for name in ("created_at", "deadline_at")
        )
        assert deadline - created == timedelta(seconds=seconds)
    assert (form.json()["priority"], form.json()["review"]["rule"]) == (3, "all")


@pytest.mark.parametrize(
    "said",
    ["0", "-1", "1.5", "10x", "m", "31d", "99999999999", "inf", "1\u0660m", "", "10 m", "1h30m"],
)
def test_a_deadline_that_is_none_is_refused(
    shared_api: Api, shared_client: TestClient, said: str
) -> None:
    given = {"input": {"upload_id": upload_of(shared_client, jpeg())}}
    bodies: dict[str, dict[str, Any]] = {
        "/v1/jobs": {"style": "plain", **given},
        "/v1/campaigns": {
            "style": "plain",
            "name": "spring",
            "items": [{"custom_id": "1", **given}],
        },
    }
    before = shared_api.stored()
    for path, body in bodies.items():
        header = {b"Cancel-After": said.encode()}
        for answer in (
            shared_client.post(path, json=body, headers=header),
            shared_client.post(path, json=body | {"cancel_after": said}),
        ):
            problem = refusal(answer, 422, "invalid-request")
            assert problem["errors"][0]["pointer"] == "/cancel_after"
    assert shared_api.stored() == before


def test_two_deadlines_that_differ_are_refused(shared_client: TestClient) -> None:
    body = {"style": "plain", "input": {"upload_id": upload_of(shared_client, jpeg())}}
    both = shared_client.post(
        "/v1/jobs", json=body | {"cancel_after": 60}, headers={"Cancel-After": "2m"}
    )
    refusal(both, 422, "invalid-request")


def test_the_same_request_with_another_deadline_is_another(shared_client: TestClient) -> None:
    body = {"style": "plain", "input": {"upload_id": upload_of(shared_client, jpeg())}}
    named = {"Idempotency-Key": str(uuid4())}
    first = shared_client.post("/v1/jobs", json=body, headers=named | {"Cancel-After": "10m"})
    again = shared_client.post("/v1/jobs", json=body, headers=named | {"Cancel-After": "10m"})
    assert (first.json()["id"], again.status_code) == (again.json()["id"], 202)
    other = shared_client.post("/v1/jobs", json=body, headers=named | {"Cancel-After": "20m"})
    refusal(other, 422, "idempotency-key-reused")


def test_late_work_expires_and_says_that_it_was_not_billed(api: Api, client: TestClient) -> None:
    hook = {"url": "https://shop.example/hook"}
    campaign = new_campaign(client, 2, cancel_after="10m", webhook=hook)
    job = new_job(client, cancel_after="10m")
    work(api, lane=Lane.CAMPAIGN)
    with api.desk.sessions.begin() as session:
        session.execute(text("UPDATE jobs SET deadline_at = now() WHERE status = 'queued'"))
    assert sweep(api.desk.sessions, api.tickets, api.tickets.waiting)["expired"] == 2
    late = client.get(job["urls"]["get"]).json()
    assert (late["status"], late["cost"]) == ("expired", None)
    assert (late["error"]["code"], late["error"]["billed"]) == ("deadline-exceeded", False)
    ended = client.get(campaign["urls"]["get"]).json()
    assert (ended["status"], ended["counts"]["expired"]) == ("finished", 1)
    assert ended["counts"]["succeeded"] == 1
    kept = client.get(f"{campaign['urls']['items']}?status=expired").json()["data"]
    assert [item["error"]["code"] for item in kept] == ["deadline-exceeded"]
    again = client.post(job["urls"]["retry"]).json()
    assert (again["status"], again["deadline_at"]) == ("queued", None)


def test_a_budget_stops_a_campaign_and_a_larger_one_goes_on(api: Api, client: TestClient) -> None:
    price = new_campaign(client, 1)["cost"]["estimated_micros"]
    work(api, lane=Lane.CAMPAIGN)
    campaign = new_campaign(client, 5, budget_micros=3 * price)
    cost = campaign["cost"]
    assert (cost["budget_micros"], cost["allotted_micros"]) == (3 * price, 3 * price)
    with api.desk.sessions.begin() as session:  # as if they were expected to cost what they will
        session.execute(text("UPDATE jobs SET reserved_micros = 274 WHERE status = 'queued'"))
        budget = "UPDATE campaigns SET budget_micros = 822, allotted_micros = 822"
        session.execute(text(f"{budget} WHERE budget_micros IS NOT NULL"))
    assert len(work(api, amount=9, lane=Lane.CAMPAIGN)) == 3
    ended = client.get(campaign["urls"]["get"]).json()
    assert (ended["status"], ended["cost"]["actual_micros"]) == ("finished", 822)
    assert (ended["counts"]["succeeded"], ended["counts"]["failed"]) == (3, 2)
    [item, _] = client.get(f"{campaign['urls']['items']}?status=failed").json()["data"]
    assert (item["error"]["code"], item["error"]["billed"]) == ("budget-exceeded", False)
    budget = f"/v1/campaigns/{campaign['id']}/budget"
    refusal(client.post(budget, json={"budget_micros": 0}), 422, "budget-exceeded")
    client.post(budget, json={"budget_micros": 5 * 274})
    client.post(campaign["urls"]["retry_failed"])
    assert len(work(api, amount=9, lane=Lane.CAMPAIGN)) == 2


def test_a_budget_of_nothing_is_refused(client: TestClient) -> None:
    item = {"custom_id": "1", "input": {"upload_id": upload_of(client, jpeg())}}
    wanted = {"name": "spring", "style": "plain", "items": [item], "budget_micros": 0}
    refusal(client.post("/v1/campaigns", json=wanted), 422, "budget-exceeded")


def test_a_budget_below_the_first_picture_is_accepted_and_stops(client: TestClient) -> None:
    campaign = new_campaign(client, 3, budget_micros=1)
    assert (campaign["status"], campaign["counts"]["failed"]) == ("finished", 3)
    assert campaign["cost"]["actual_micros"] == 0


@pytest.mark.parametrize(
    ("budget", "code"),
    [
        (0, "budget-exceeded"),
        (-1, "invalid-request"),
        (2**60, "invalid-request"),
        (1.5, "invalid-request"),
        ("many", "invalid-request"),
    ],
)
def test_a_budget_that_is_none_is_refused(
    shared_api: Api, shared_client: TestClient, budget: Any, code: str
) -> None:
    item = {"custom_id": "1", "input": {"upload_id": upload_of(shared_client, jpeg())}}
    body = {"name": "n", "style": "plain", "items": [item], "budget_micros": budget}
    before = shared_api.stored()
    refusal(shared_client.post("/v1/campaigns", json=body), 422, code)
    assert shared_api.stored() == before


def test_a_campaign_without_a_budget_gets_none_later(client: TestClient) -> None:
    campaign = new_campaign(client, 1)
    answer = client.post(f"/v1/campaigns/{campaign['id']}/budget", json={"budget_micros": 9})
    refusal(answer, 409, "illegal-transition")


@pytest.mark.parametrize("word", ["pause", "resume", "retry-failed", "cancel"])
def test_a_campaign_that_is_not_there_is_not_steered(shared_client: TestClient, word: str) -> None:
    refusal(shared_client.post(f"/v1/campaigns/{uuid4()}/{word}"), 404, "not-found")
    refusal(shared_client.post(f"/v1/campaigns/spring/{word}"), 404, "not-found")
