"""Pictures that nobody gets before somebody said yes."""

from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.api.links import asset_url
from app.db.models import EventRow
from app.domain.job import Lane
from tests.integration.conftest import Api, work
from tests.integration.test_api_campaigns import new_campaign
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_steering import new_job
from tests.unit.pictures import png

APPROVE = {"decision": "approve"}
REJECT = {"decision": "reject", "reason_code": "off-brand", "note": "Zu blau. 🟦"}
DIGEST = sha256(png((64, 48), compress_level=1)).hexdigest()  #: of what `work` brings


def links(api: Api) -> list[str]:
    """Every way to a picture that is no reviewer's."""
    return [f"/v1/assets/{DIGEST}", asset_url(api.desk.settings, api.ground.tenant_id, DIGEST)]


def test_an_output_is_delivered_once_it_is_approved(api: Api, client: TestClient) -> None:
    hook = {"url": "https://shop.example/hook", "events": ["job.succeeded", "job.reviewed"]}
    job = new_job(client, review="all", webhook=hook)
    assert job["review"] == {
        "rule": "all",
        "state": None,
        "by": None,
        "at": None,
        "reason_code": None,
        "note": None,
    }
    work(api)
    answer = client.get(job["urls"]["get"])
    waiting = answer.json()
    assert (waiting["status"], waiting["output"], waiting["finished_at"]) == (
        "in_review",
        None,
        None,
    )
    assert waiting["review"]["state"] == "pending"
    assert waiting["cost"]["micros"] == 274
    assert answer.headers["retry-after"] == "60"
    assert DIGEST not in answer.text
    for link in links(api):
        refusal(client.get(link), 409, "awaiting-review")
    refusal(client.post(job["urls"]["cancel"]), 409, "illegal-transition")
    assert kinds(api) == []
    [listed] = client.get("/v1/reviews").json()["data"]
    assert listed["job"]["id"] == job["id"]
    picture = client.get(listed["output"]["url"])
    assert sha256(picture.content).hexdigest() == DIGEST
    assert picture.headers["cache-control"] == "private, no-store"
    etag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(job["urls"]["get"], headers=etag).status_code == 304
    approved = client.post(f"/v1/reviews/{job['id']}", json=APPROVE).json()
    assert (approved["status"], approved["review"]["state"]) == ("succeeded", "approved")
    assert approved["review"]["by"] == f"key:{api.key[4:12]}"
    assert approved["review"]["at"] == approved["finished_at"] is not None
    assert client.get(job["urls"]["get"], headers=etag).status_code == 200
    assert client.get(approved["output"]["url"], headers={"Authorization": ""}).status_code == 200
    assert client.get(links(api)[0]).status_code == 200
    assert kinds(api) == ["job.reviewed", "job.succeeded"]
    assert api.tickets.deliveries == 1
    assert client.get("/v1/reviews").json()["data"] == []
    refusal(client.post(f"/v1/reviews/{job['id']}", json=REJECT), 409, "illegal-transition")


def kinds(api: Api) -> list[str]:
    with api.desk.sessions() as session:
        return [row.type.value for row in session.scalars(select(EventRow).order_by(EventRow.id))]


def test_a_rejected_output_is_kept_and_delivered_to_nobody(api: Api, client: TestClient) -> None:
    job = new_job(client, review="all")
    work(api)
    rejected = client.post(f"/v1/reviews/{job['id']}", json=REJECT).json()
    assert (rejected["status"], rejected["output"]) == ("rejected", None)
    assert rejected["finished_at"] is not None
    review = rejected["review"]
    assert (review["state"], review["reason_code"], review["note"]) == (
        "rejected",
        "off-brand",
        "Zu blau. 🟦",
    )
    assert rejected["cost"]["micros"] == 274  # it was made
    for link in links(api):
        refusal(client.get(link), 409, "output-rejected")
    assert client.get(f"/v1/reviews/{job['id']}/output").status_code == 200
    refusal(client.post(job["urls"]["retry"]), 409, "illegal-transition")


def test_equal_bytes_that_another_job_delivered_stay_delivered(
    api: Api, client: TestClient
) -> None:
    delivered, waiting = new_job(client), new_job(client, review="all")
    work(api, amount=2)
    assert client.get(waiting["urls"]["get"]).json()["status"] == "in_review"
    for link in links(api):
        assert client.get(link).status_code == 200
    assert client.get(delivered["urls"]["get"]).json()["output"] is not None


def test_whoever_waits_for_a_job_does_not_wait_for_its_reviewer(
    api: Api, client: TestClient
) -> None:
    job = new_job(client, review="all")
    work(api)
    answer = client.get(job["urls"]["get"], headers={"Prefer": "wait=50"})
    assert answer.json()["status"] == "in_review"


def test_there_is_no_output_to_look_at_before_one_is_made(client: TestClient) -> None:
    job = new_job(client, review="all")
    refusal(client.get(f"/v1/reviews/{job['id']}/output"), 404, "not-found")
    refusal(client.post(f"/v1/reviews/{job['id']}", json=APPROVE), 409, "illegal-transition")
    refusal(client.post(f"/v1/reviews/{uuid4()}", json=APPROVE), 404, "not-found")


def test_a_sample_is_drawn_by_the_jobs_ids(api: Api, client: TestClient) -> None:
    campaign = new_campaign(client, 60, review="sample:50%")
    work(api, amount=60, lane=Lane.CAMPAIGN)
    counts = client.get(campaign["urls"]["get"]).json()["counts"]
    assert counts["in_review"] + counts["succeeded"] == 60
    assert 10 <= counts["in_review"] <= 50  # one in ten billion falls outside
    items = client.get(campaign["urls"]["items"], params={"limit": 200}).json()["data"]
    states = {item["status"]: item["review"]["state"] for item in items}
    assert states == {"in_review": "pending", "succeeded": "skipped"}


def bulk(client: TestClient, query: Any, words: Any = APPROVE, *, dry_run: bool = False) -> int:
    body = {"query": query, "dry_run": dry_run, **words}
    answer = client.post("/v1/reviews", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["dry_run"] is dry_run
    count: int = answer.json()["count"]
    return count


def test_a_query_is_decided_on_at_once_and_counted_before(api: Api, client: TestClient) -> None:
    first, second = (new_campaign(client, 12, review="all") for _ in range(2))
    work(api, amount=24, lane=Lane.CAMPAIGN)
    assert bulk(client, {"campaign_id": first["id"]}, dry_run=True) == 12
    assert client.get(first["urls"]["get"]).json()["counts"]["in_review"] == 12
    prefix = {"campaign_id": first["id"], "custom_id_prefix": "1"}  # 1, 10 and 11
    assert bulk(client, prefix, dry_run=True) == 3
    assert bulk(client, prefix, REJECT) == 3
    assert bulk(client, {"campaign_id": first["id"]}) == 9
    ended = client.get(first["urls"]["get"]).json()
    assert (ended["status"], ended["counts"]["rejected"], ended["counts"]["succeeded"]) == (
        "finished",
        3,
        9,
    )
    assert bulk(client, {"style": "plain@2"}) == 0
    assert bulk(client, {"style": "nobody"}) == 0
    assert bulk(client, {"warning": "flat"}) == 0
    assert bulk(client, {"custom_id_prefix": "%"}) == 0
    assert bulk(client, {"campaign_id": str(uuid4())}) == 0
    assert bulk(client, {"style": "plain@1"}, dry_run=True) == 12
    assert bulk(client, {"style": "plain"}, REJECT) == 12
    assert client.get(second["urls"]["get"]).json()["status"] == "finished"


def test_a_query_reaches_nobody_elses_pictures(api: Api, client: TestClient) -> None:
    campaign = new_campaign(client, 2, review="all")
    work(api, amount=2, lane=Lane.CAMPAIGN)
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    for query in ({"campaign_id": campaign["id"]}, {"style": "plain"}, {"custom_id_prefix": "0"}):
        body = {"query": query, **APPROVE}
        assert client.post("/v1/reviews", json=body, headers=stranger).json()["count"] == 0
    assert client.get("/v1/reviews", headers=stranger).json()["data"] == []
    assert client.get(campaign["urls"]["get"]).json()["counts"]["in_review"] == 2


def test_what_waits_is_listed_oldest_first_in_pages(api: Api, client: TestClient) -> None:
    campaign = new_campaign(client, 5, review="all")
    work(api, amount=5, lane=Lane.CAMPAIGN)
    names, address = list[str](), "/v1/reviews?limit=2&style=plain"
    while address:
        answer = client.get(address)
        names += [review["job"]["custom_id"] for review in answer.json()["data"]]
        address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert names == ["0", "1", "2", "3", "4"]
    only = client.get("/v1/reviews", params={"custom_id_prefix": "3"}).json()["data"]
    assert [review["job"]["custom_id"] for review in only] == ["3"]
    none = client.get("/v1/reviews", params={"campaign_id": str(uuid4())}).json()["data"]
    assert none == []
    assert UUID(campaign["id"]) == UUID(only[0]["job"]["campaign_id"])


@pytest.mark.parametrize(
    "query",
    [
        "cursor=AAAA",
        "cursor=%00",
        "limit=0",
        "campaign_id=spring",
        "style=%00",
        "style=a:0.5,b:0.5",
        "warning=loud",
        "custom_id_prefix=%00",
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(shared_client: TestClient, query: str) -> None:
    answer = shared_client.get(f"/v1/reviews?{query}")
    code = "bad-request" if query.startswith("cursor") else "invalid-request"
    refusal(answer, 400 if code == "bad-request" else 422, code)


@pytest.mark.parametrize(
    "verdict",
    [
        {},
        {"decision": "maybe"},
        {"decision": "reject"},
        {"decision": "reject", "reason_code": ""},
        {"decision": "reject", "reason_code": "Off Brand"},
        {"decision": "reject", "reason_code": "x" * 65},
        {"decision": "approve", "note": "x" * 2_001},
        {"decision": "approve", "note": "\x00"},
        {"decision": "approve", "by": "somebody else"},
    ],
)
def test_a_verdict_that_is_none_is_refused(
    shared_client: TestClient, verdict: dict[str, str]
) -> None:
    refusal(shared_client.post(f"/v1/reviews/{uuid4()}", json=verdict), 422, "invalid-request")
    body = {"query": {"style": "plain"}, **verdict}
    refusal(shared_client.post("/v1/reviews", json=body), 422, "invalid-request")


@pytest.mark.parametrize(
    "query", [{}, {"campaign_id": None}, {"campaign_id": "x"}, {"status": "queued"}, None, "all"]
)
def test_a_query_for_everything_is_refused(shared_client: TestClient, query: Any) -> None:
    answer = shared_client.post("/v1/reviews", json={"query": query, **APPROVE})
    refusal(answer, 422, "invalid-request")


@pytest.mark.parametrize(
    "rule", ["some", "sample", "sample:0%", "sample:101%", "sample:-1%", "sample:2", "ALL", "", 1]
)
def test_a_rule_that_is_none_is_refused(shared_client: TestClient, rule: Any) -> None:
    body = {"style": "plain", "input": {"upload_id": str(uuid4())}, "review": rule}
    problem = refusal(shared_client.post("/v1/jobs", json=body), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "/review"
