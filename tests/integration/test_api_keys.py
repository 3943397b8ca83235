"""Keys over HTTP: made, shown once, exchanged, ended; and when they were last used."""

from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.api.keyring import SECONDS
from app.db import keys
from app.domain.scopes import Scope
from app.errors import Conflict, NotFound
from tests.integration.conftest import Api
from tests.integration.test_api_refusals import refusal


def made(client: TestClient, **wanted: Any) -> Any:
    answer = client.post("/v1/keys", json={"name": "shop"} | wanted)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def opens(client: TestClient, key: str) -> bool:
    answer = client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def closes(client: TestClient, key: str) -> None:
    asked = monotonic()
    while opens(client, key):
        assert monotonic() - asked < SECONDS + 5


def test_a_key_is_made_and_shown_once(client: TestClient) -> None:
    key = made(client)
    assert (key["scopes"], key["state"], key["expires_at"]) == (["read", "submit"], "active", None)
    assert opens(client, key["key"])
    assert key["key"].startswith(f"imp_{key['prefix']}_")
    listed = client.get("/v1/keys")
    assert key["key"] not in listed.text
    assert [one["name"] for one in listed.json()["data"]] == ["test", "shop"]


def test_a_key_expires(api: Api, client: TestClient) -> None:
    key = made(client, days=30)
    lasts = datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"])
    assert lasts == timedelta(days=30)
    with api.desk.sessions.begin() as session:
        session.execute(text("UPDATE api_keys SET expires_at = now() WHERE name = 'shop'"))
    assert not opens(client, key["key"])
    assert client.get("/v1/keys").json()["data"][1]["state"] == "expired"
    refusal(client.post(f"/v1/keys/{key['prefix']}/rotate"), 409, "conflict")


def test_a_rotated_key_opens_as_long_as_it_was_said(api: Api, client: TestClient) -> None:
    old = made(client, scopes=["read", "review"])
    new = client.post(f"/v1/keys/{old['prefix']}/rotate")
    assert new.status_code == 201
    assert (new.json()["name"], new.json()["scopes"]) == ("shop", ["read", "review"])
    assert opens(client, old["key"])
    assert opens(client, new.json()["key"])
    with api.desk.sessions() as session:
        [row] = [row for row in keys.listing(session) if row.ApiKey.prefix == old["prefix"]]
        left = session.scalar(
            text("SELECT expires_at - now() FROM api_keys WHERE prefix = :p"), {"p": old["prefix"]}
        )
    assert row.state == "active"
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    again = client.post(f"/v1/keys/{old['prefix']}/rotate", json={"overlap_seconds": 0})
    assert again.status_code == 201
    closes(client, old["key"])
    assert opens(client, again.json()["key"])


def test_rotation_never_makes_an_old_key_last_longer(api: Api, client: TestClient) -> None:
    old = made(client, days=1)
    month = {"overlap_seconds": 30 * 86_400}
    new = client.post(f"/v1/keys/{old['prefix']}/rotate", json=month).json()
    assert new["expires_at"] == old["expires_at"]
    ends = {one["prefix"]: one["expires_at"] for one in client.get("/v1/keys").json()["data"]}
    assert ends[old["prefix"]] == old["expires_at"]


def test_a_revoked_key_is_ended_for_good(client: TestClient) -> None:
    key = made(client)
    path = f"/v1/keys/{key['prefix']}"
    assert client.delete(path).json()["state"] == "revoked"
    closes(client, key["key"])
    refusal(client.delete(path), 409, "conflict")
    refusal(client.post(f"{path}/rotate"), 409, "conflict")
    refusal(client.delete("/v1/keys/nobody"), 404, "not-found")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"days": 0}, "/days"),
        ({"name": ""}, "/name"),
        ({"name": "a\x00"}, "/name"),
        ({"tenant": "other"}, "/tenant"),
    ],
)
def test_an_odd_key_is_refused(
    shared_client: TestClient, changes: dict[str, Any], pointer: str
) -> None:
    answer = shared_client.post("/v1/keys", json={"name": "shop"} | changes)
    problem = refusal(answer, 422, "invalid-request")
    assert pointer in [reason["pointer"] for reason in problem["errors"]]


def test_the_last_use_is_written_once_a_minute(api: Api, client: TestClient) -> None:
    def used() -> Any:
        with api.desk.sessions() as session:
            rows = keys.listing(session, api.ground.tenant_id)
            return rows[0].ApiKey.used_at

    client.get("/v1/jobs")
    asked = monotonic()
    while used() is None:
        assert monotonic() - asked < 5
    first = used()
    with api.desk.sessions.begin() as session:
        row = keys.opened(session, api.key)
        assert not row.idles
        keys.used(session, row.id)
    assert used() == first
    with api.desk.sessions.begin() as session:
        session.execute(text("UPDATE api_keys SET used_at = used_at - interval '61 seconds'"))
    with api.desk.sessions.begin() as session:
        row = keys.opened(session, api.key)
        assert row.idles
        keys.used(session, row.id)
    assert used() > first


def test_a_repeated_request_makes_one_key_and_its_secret_is_kept_nowhere(
    api: Api, client: TestClient
) -> None:
    headers = {"Idempotency-Key": '"a"'}
    first = client.post("/v1/keys", json={"name": "shop"}, headers=headers)
    again = client.post("/v1/keys", json={"name": "shop"}, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json() | {"key": None}
    assert len(client.get("/v1/keys").json()["data"]) == 2
    secret = first.json()["key"]
    with api.desk.sessions() as session:
        kept = session.scalars(text("SELECT convert_from(body, 'UTF8') FROM kept_answers")).one()
    assert first.json()["prefix"] in kept
    assert secret not in kept


def test_an_operator_ends_and_exchanges_anybodys_keys(api: Api) -> None:
    with api.desk.sessions.begin() as session:
        new = keys.rotate(session, None, api.stranger[4:12], overlap=0, by="operator")
    with api.desk.sessions.begin() as session:
        assert keys.opened(session, new.key).scopes == [scope.value for scope in Scope]
        keys.revoke(session, new.row.prefix)
        with pytest.raises(Conflict):
            keys.revoke(session, new.row.prefix)
        with pytest.raises(NotFound):
            keys.revoke(session, "nobody")
