"""Bytes on their way in, through our own door."""

from hashlib import sha256
from typing import Any

from starlette.testclient import TestClient

from tests.integration.conftest import Api
from tests.unit.pictures import jpeg


def announce(client: TestClient, content: bytes, **changes: Any) -> Any:
    """The answer to an announcement of these bytes."""
    body = {
        "sha256": sha256(content).hexdigest(),
        "bytes": len(content),
        "media_type": "image/jpeg",
    }
    answer = client.post("/v1/uploads", json=body | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def send(client: TestClient, upload: Any, content: bytes) -> Any:
    """As somebody who knows the address and no key."""
    return client.put(
        upload["url"], content=content, headers=upload["headers"] | {"Authorization": ""}
    )


def upload_of(client: TestClient, content: bytes) -> str:
    """The id of an upload whose bytes are here."""
    upload = announce(client, content)
    if not upload["received"]:
        assert send(client, upload, content).status_code == 204
    upload_id: str = upload["id"]
    return upload_id


def test_announced_bytes_are_taken_without_a_key_and_can_be_used(
    api: Api, client: TestClient
) -> None:
    upload_id = upload_of(client, jpeg())
    answer = client.post("/v1/jobs", json={"style": "plain", "input": {"upload_id": upload_id}})
    assert answer.status_code == 202, answer.text
    assert answer.json()["lane"] == "interactive"
    assert api.tickets.lanes == ["interactive"]


def test_bytes_we_have_need_not_be_sent_again(client: TestClient) -> None:
    upload_of(client, jpeg())
    again = announce(client, jpeg())
    assert again["received"] is True
    assert again["url"] is None
    answer = client.post("/v1/jobs", json={"style": "plain", "input": {"upload_id": again["id"]}})
    assert answer.status_code == 202
