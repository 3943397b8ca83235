"""Many pictures through the door."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from starlette.testclient import TestClient

from app.api.shown import eta
from app.db import jobs, ledger
from app.db.progress import NONE, Progress
from app.domain.job import Lane
from tests.integration.conftest import Api, work
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg


def test_a_campaign_is_accepted_and_can_be_followed(api: Api, client: TestClient) -> None:
    upload_id = upload_of(client, jpeg())
    body = {
        "name": "spring",
        "style": "plain",
        "items": [
            {"custom_id": str(number), "input": {"upload_id": upload_id}} for number in range(3)
        ],
    }
    answer = client.post("/v1/campaigns", json=body)
    assert answer.status_code == 202, answer.text
    campaign = client.get(answer.headers["location"]).json()
    assert campaign["counts"] == {
        "total": 3,
        "queued": 3,
        "running": 0,
        "in_review": 0,
        "succeeded": 0,
        "cached": 0,
        "failed": 0,
        "canceled": 0,
        "rejected": 0,
        "expired": 0,
        "refused": 0,
    }
    items = client.get(campaign["urls"]["items"], params={"limit": 2}).json()
    assert [item["custom_id"] for item in items["data"]] == ["0", "1"]
    rest = client.get(campaign["urls"]["items"], params={"cursor": items["next_cursor"]}).json()
    assert [item["custom_id"] for item in rest["data"]] == ["2"]
    assert client.post(campaign["urls"]["cancel"]).json()["counts"]["canceled"] == 3
    assert client.post(campaign["urls"]["cancel"]).status_code == 409


def new_campaign(client: TestClient, amount: int, **changes: Any) -> Any:
    """The answer to a campaign over one picture."""
    upload_id = upload_of(client, jpeg())
    items = [
        {"custom_id": str(number), "input": {"upload_id": upload_id}} for number in range(amount)
    ]
    body = {"name": "spring", "style": "plain", "items": items} | changes
    answer = client.post("/v1/campaigns", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_progress_is_counted_priced_and_foretold(api: Api, client: TestClient) -> None:
    campaign = new_campaign(client, 4)
    assert campaign["eta_seconds"] is None
    # The ledger rounds each job by itself.
    assert abs(campaign["cost"]["estimated_micros"] - reserved(api)) <= 4
    work(api, amount=3, lane=Lane.CAMPAIGN)
    halfway = client.get(campaign["urls"]["get"]).json()
    assert (halfway["counts"]["succeeded"], halfway["counts"]["queued"]) == (3, 1)
    assert halfway["eta_seconds"] is not None
    assert halfway["cost"]["actual_micros"] == 3 * 274
    work(api, lane=Lane.CAMPAIGN)
    answer = client.get(campaign["urls"]["get"])
    ended = answer.json()
    assert (ended["status"], ended["eta_seconds"]) == ("finished", 0)
    assert ended["finished_at"] is not None
    assert "retry-after" not in answer.headers
    assert ended["cost"]["estimated_micros"] == ended["cost"]["actual_micros"] == 4 * 274


def reserved(api: Api) -> int:
    with api.desk.sessions() as session:
        return ledger.balance(session, api.ground.tenant_id)


def test_a_pace_foretells_the_end() -> None:
    def progress(**facts: Any) -> Progress:
        return replace(NONE, **facts)

    assert eta(10, progress()) is None
    assert eta(10, progress(running=3, seconds=5.0)) is None
    assert eta(10, progress(worked=5, seconds=20.0)) == 40
    assert eta(0, progress()) == 0


def test_polling_a_campaign_costs_nothing_until_it_changes(api: Api, client: TestClient) -> None:
    place = new_campaign(client, 2)["urls"]["get"]
    first = client.get(place)
    assert first.headers["retry-after"] == "1"
    etag = {"If-None-Match": first.headers["etag"]}
    assert client.get(place, headers=etag).status_code == 304
    with api.desk.sessions.begin() as session:
        claimed = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=1, pixels=2**40, lease=60.0)
    running = client.get(place, headers=etag)
    assert (running.status_code, running.json()["counts"]["running"]) == (200, 1)
    with api.desk.sessions.begin() as session:
        jobs.hand_back(session, [jobs.Held(row.id, row.attempt) for row in claimed], by="w")
    assert client.get(place, headers=etag).status_code == 304


def test_withdrawing_a_campaign_keeps_what_is_finished(api: Api, client: TestClient) -> None:
    hook = {"url": "https://shop.example/hook"}
    campaign = new_campaign(client, 3, webhook=hook)
    work(api, lane=Lane.CAMPAIGN)
    answer = client.post(campaign["urls"]["cancel"]).json()
    counts = answer["counts"]
    assert (counts["succeeded"], counts["canceled"], counts["queued"]) == (1, 2, 0)
    assert answer["cancel_requested_at"] is not None
    assert api.tickets.deliveries == 1
    again = client.post(campaign["urls"]["cancel"])
    assert (again.status_code, again.json()["code"]) == (409, "illegal-transition")


def test_items_come_in_the_order_they_were_handed_in(api: Api, client: TestClient) -> None:
    campaign = new_campaign(client, 7)
    work(api, amount=5, lane=Lane.CAMPAIGN)
    names: list[str] = []
    address = f"{campaign['urls']['items']}?status=succeeded&limit=2"
    while address:
        answer = client.get(address)
        names += [item["custom_id"] for item in answer.json()["data"]]
        address = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert names == ["0", "1", "2", "3", "4"]


def test_each_item_may_differ(client: TestClient) -> None:
    upload_id = upload_of(client, jpeg())
    campaign = new_campaign(
        client,
        0,
        strength=0.5,
        metadata={"season": 1},
        items=[
            {"custom_id": "a", "input": {"upload_id": upload_id}},
            {
                "custom_id": "b",
                "input": {"upload_id": upload_id},
                "style": "plain@1",
                "strength": 0.9,
                "metadata": {"page": 12},
            },
        ],
    )
    assert campaign["metadata"] == {"season": 1}
    items = client.get(campaign["urls"]["items"]).json()["data"]
    assert [item["parameters"]["strength"] for item in items] == [0.5, 0.9]
    assert [item["metadata"] for item in items] == [{}, {"page": 12}]


def test_campaigns_are_listed_newest_first(client: TestClient) -> None:
    ids = [new_campaign(client, 1)["id"] for _ in range(3)]
    first = client.get("/v1/campaigns?limit=2").json()
    rest = client.get("/v1/campaigns", params={"cursor": first["next_cursor"]}).json()
    assert [campaign["id"] for campaign in first["data"] + rest["data"]] == ids[::-1]
    assert rest["has_more"] is False


def test_a_campaign_of_nothing_but_bad_items_is_finished_at_once(
    api: Api, client: TestClient
) -> None:
    items = [{"custom_id": "1", "input": {"url": "http://localhost/"}}]
    campaign = new_campaign(client, 0, items=items)
    assert (campaign["status"], campaign["counts"]["failed"]) == ("finished", 1)


def test_styles_are_listed_with_their_cards(client: TestClient) -> None:
    [style] = client.get("/v1/styles").json()["data"]
    assert (style["name"], style["pinned"], style["stylizer"]) == ("plain", "plain@1", "tiny-1")
    one = client.get("/v1/styles/plain").json()
    assert [version["version"] for version in one["versions"]] == [1]
    for name in ("nobody", "plain@1", "Plain", "%00", "a" * 300):
        answer = client.get(f"/v1/styles/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_items_are_found_by_what_they_are(api: Api, client: TestClient) -> None:
    upload_id = upload_of(client, jpeg())
    picture = {"input": {"upload_id": upload_id}}
    items = [
        {"custom_id": "cup-1", **picture},
        {"custom_id": "cup_2", "input": {"upload_id": str(uuid4())}},
        {"custom_id": "plate-1", "style": "plain@1", **picture},
    ]
    body = {"name": "spring", "style": "plain", "items": items}
    place = client.post("/v1/campaigns", json=body).json()["urls"]["items"]

    def found(**asked: str) -> list[str]:
        answer = client.get(place, params=asked)
        assert answer.status_code == 200, answer.text
        return [item["custom_id"] for item in answer.json()["data"]]

    assert found(custom_id_prefix="cup") == ["cup-1", "cup_2"]
    assert found(custom_id_prefix="cup_") == ["cup_2"]  # no pattern
    assert found(error="unknown-upload") == ["cup_2"]
    assert found(style="plain") == found(style="plain@1") == ["cup-1", "cup_2", "plate-1"]
    assert found(style="plain@2") == found(style="nobodys") == []
    assert found(custom_id_prefix="plate", status="queued") == ["plate-1"]
    answer = client.get(place, params={"style": "a\x00"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
