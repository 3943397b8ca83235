"""Many pictures through the door."""

from starlette.testclient import TestClient

from tests.integration.conftest import Api
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
        "succeeded": 0,
        "failed": 0,
        "canceled": 0,
    }
    items = client.get(campaign["urls"]["items"], params={"limit": 2}).json()
    assert [item["custom_id"] for item in items["data"]] == ["0", "1"]
    rest = client.get(campaign["urls"]["items"], params={"cursor": items["next_cursor"]}).json()
    assert [item["custom_id"] for item in rest["data"]] == ["2"]
    assert client.post(campaign["urls"]["cancel"]).json()["counts"]["canceled"] == 3
    assert client.post(campaign["urls"]["cancel"]).status_code == 409


def test_the_api_describes_itself(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert "JobRequest" in document["components"]["schemas"]
    assert client.get("/readyz").status_code == 200, client.get("/readyz").text
    assert client.get("/v1/styles").json()["data"][0]["pinned"] == "plain@1"
    assert client.get("/v1/webhook-secret").json()["secret"].startswith("whsec_")
