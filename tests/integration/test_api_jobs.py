"""Single pictures through the door."""

from starlette.testclient import TestClient

from tests.integration.conftest import Api
from tests.unit.pictures import jpeg


def test_a_picture_is_accepted_stored_and_queued(api: Api, client: TestClient) -> None:
    answer = client.post("/v1/jobs", files={"content": jpeg()}, data={"style": "plain"})
    assert answer.status_code == 202, answer.text
    assert answer.headers["retry-after"] == "1"
    job = client.get(answer.headers["location"]).json()
    assert (job["status"], job["style"], job["lane"]) == ("queued", "plain@1", "interactive")
    assert api.tickets.lanes == ["interactive"]
