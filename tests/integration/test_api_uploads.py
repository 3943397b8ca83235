"""Bytes on their way in, through our own door."""

from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from sqlalchemy import func, update
from starlette.testclient import TestClient

from app.db.models import Upload
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


def test_other_bytes_than_those_announced_are_refused(api: Api, client: TestClient) -> None:
    upload = announce(client, jpeg())
    before = api.stored()
    answer = send(client, upload, jpeg((70, 50)))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/sha256"
    assert api.stored() == before


def test_bytes_may_be_sent_twice(api: Api, client: TestClient) -> None:
    upload = announce(client, jpeg())
    assert send(client, upload, jpeg()).status_code == 204
    once = api.stored()
    assert send(client, upload, jpeg()).status_code == 204
    assert api.stored() == once


def test_the_link_cannot_be_bent(api: Api, client: TestClient) -> None:
    upload = announce(client, jpeg())
    before = api.stored()
    address = urlsplit(upload["url"])
    query = dict(parse_qsl(address.query))
    other = str(UUID(int=7))
    for path, changes in (
        (address.path, {"expires": str(int(query["expires"]) + 1)}),
        (address.path, {"owner": other}),
        (address.path, {"sha256": "a" * 64}),
        (address.path, {"signature": "é"}),
        (address.path.replace(upload["id"], other), {}),
    ):
        answer = client.put(f"{path}?{urlencode(query | changes)}", content=jpeg())
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert client.put(address.path, content=jpeg()).status_code == 422
    assert api.stored() == before


def test_an_upload_that_has_expired_takes_nothing(api: Api, client: TestClient) -> None:
    upload = announce(client, jpeg())
    used = upload_of(client, jpeg((70, 50)))
    with api.desk.sessions.begin() as session:
        session.execute(update(Upload).values(expires_at=func.now()))
    answer = send(client, upload, jpeg())
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    body = {"style": "plain", "input": {"upload_id": used}}
    answer = client.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-upload")
