"""Keys and tenants: every route of the document, so that a new one cannot be forgotten."""

import re
from collections.abc import Iterator
from hashlib import sha256
from time import monotonic
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.api.keyring import SECONDS
from app.db import keys
from app.domain.job import Lane
from tests.integration.conftest import Api, fail, work
from tests.integration.test_api_uploads import announce, upload_of
from tests.unit.pictures import jpeg

OPEN = {
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/problems"),
    ("get", "/problems/{code}"),
    ("put", "/v1/uploads/{upload_id}/content"),  # the signed link is the key
}


def operations() -> Iterator[tuple[str, str, Any]]:
    """Method, path and description of every operation we document."""

    def nowhere(_: FastAPI) -> Any:
        raise AssertionError("only the document is wanted")

    from app.api.main import create_app

    for path, methods in create_app(nowhere).openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


KEYED = [(method, path) for method, path, _ in operations() if (method, path) not in OPEN]
#: What a request must say besides the ids.
NEEDED: dict[tuple[str, str], dict[str, Any]] = {
    ("patch", "/v1/webhook-endpoints/{endpoint_id}"): {"json": {}},
    ("post", "/v1/webhook-endpoints/{endpoint_id}/replay"): {
        "params": {"since": "2026-01-01T00:00:00Z"}
    },
}
WITH_ID = [(method, path) for method, path in KEYED if "_id}" in path or "{sha256}" in path]


def place(client: TestClient, api: Api, path: str) -> str:
    """The path with ids of things that the first tenant has."""
    upload_id = upload_of(client, jpeg())
    item = {"custom_id": "1", "input": {"upload_id": upload_id}}
    campaign = {"name": "spring", "style": "plain", "budget_micros": 10**9, "items": [item]}
    job = {"style": "plain", "input": {"upload_id": upload_id}, "review": "all"}
    found = client.get("/v1/webhook-endpoints").json()["data"]
    hook = {"url": "https://shop.example/hook"}
    endpoint = found[0] if found else client.post("/v1/webhook-endpoints", json=hook).json()
    test = client.post(f"/v1/webhook-endpoints/{endpoint['id']}/test").json()
    things = {
        "upload_id": upload_id,
        "job_id": client.post("/v1/jobs", json=job).json()["id"],
        "campaign_id": client.post("/v1/campaigns", json=campaign).json()["id"],
        "sha256": sha256(jpeg()).hexdigest(),
        "name": "plain",
        "endpoint_id": endpoint["id"],
        "delivery_id": test["id"],
    }
    return re.sub(r"{(\w+)}", lambda match: things[match[1]], path)


#: What routes need beside ids: a body, and a job or campaign that has come so far.
BODIES = {
    "priority": {"priority": 5},
    "budget": {"budget_micros": 9},
    "{job_id}": {"decision": "approve"},
}


def body(method: str, path: str) -> Any:
    word = path.rpartition("/")[2]
    return BODIES.get(word) if method == "post" else None


def prepare(api: Api, path: str) -> None:
    """Let the newest job come so far that the route has something to do."""
    if path.endswith("/retry"):
        fail(api, amount=100)
    if path.endswith("/retry-failed"):
        fail(api, amount=100, lane=Lane.CAMPAIGN)
    if "/reviews/" in path:
        work(api, amount=100)


def test_the_document_has_routes_to_test() -> None:
    assert len(KEYED) >= 14
    assert len(WITH_ID) >= 6


@pytest.mark.parametrize(("method", "path"), WITH_ID)
def test_another_tenants_things_are_not_found(
    shared_api: Api, shared_client: TestClient, method: str, path: str
) -> None:
    mine, given = place(shared_client, shared_api, path), body(method, path)
    prepare(shared_api, path)
    before = shared_api.stored()
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    sent = {"json": given} | NEEDED.get((method, path), {})
    answer = shared_client.request(method, mine, headers=stranger, **sent)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert shared_api.stored() == before
    if path.endswith("/events"):  # a stream that ends
        shared_client.post(mine.removesuffix("/events") + "/cancel")
    assert shared_client.request(method, mine, **sent).status_code == 200


@pytest.mark.parametrize(("method", "path"), KEYED)
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer imp_x_y"},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Basic dXNlcjp3b3Jk"},
        {"Authorization": "", "X-API-Key": "imp_x_y"},
    ],
    ids=["none", "empty", "unknown", "not ASCII", "another scheme", "unknown in X-API-Key"],
)
def test_no_route_opens_without_a_key(
    shared_client: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    address = path.replace("{sha256}", "a" * 64)
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    # No key, no word about the body: not even that it is broken.
    answer = shared_client.request(method, address, headers=sent, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_key_may_come_in_either_header(shared_api: Api, shared_client: TestClient) -> None:
    headers = {"Authorization": "", "X-API-Key": shared_api.key}
    assert shared_client.get("/v1/jobs", headers=headers).status_code == 200
    headers = {"Authorization": f"bearer  {shared_api.key} "}
    assert shared_client.get("/v1/jobs", headers=headers).status_code == 200


def test_a_revoked_key_opens_nothing_within_a_second(api: Api, client: TestClient) -> None:
    assert client.get("/v1/jobs").status_code == 200
    with api.desk.sessions.begin() as session:
        keys.revoke(session, api.key[4:12])
    revoked = monotonic()
    while client.get("/v1/jobs").status_code == 200:
        assert monotonic() - revoked < SECONDS + 5
    assert client.get("/v1/jobs").json()["code"] == "unauthorized"


def test_tenants_do_not_see_each_others_listings(
    shared_api: Api, shared_client: TestClient
) -> None:
    place(shared_client, shared_api, "")
    work(shared_api, amount=100)
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    for path in ("/v1/jobs", "/v1/campaigns", "/v1/reviews"):
        assert shared_client.get(path, headers=stranger).json()["data"] == []
        assert shared_client.get(path).json()["data"]


def test_equal_bytes_of_two_tenants_stay_apart(shared_api: Api, shared_client: TestClient) -> None:
    upload_of(shared_client, jpeg((80, 60)))
    shared_client.headers["Authorization"], mine = (
        f"Bearer {shared_api.stranger}",
        shared_client.headers["Authorization"],
    )
    try:
        assert announce(shared_client, jpeg((80, 60)))["received"] is False
    finally:
        shared_client.headers["Authorization"] = mine


def test_webhook_secrets_differ_between_tenants(shared_api: Api, shared_client: TestClient) -> None:
    stranger = {"Authorization": f"Bearer {shared_api.stranger}"}
    mine = shared_client.get("/v1/webhook-secret")
    theirs = shared_client.get("/v1/webhook-secret", headers=stranger)
    assert mine.json()["secret"] != theirs.json()["secret"]
    assert mine.json()["secret"].startswith("whsec_")
    assert mine.headers["cache-control"] == "no-store"


def test_a_signed_link_belongs_to_one_tenant(api: Api, client: TestClient) -> None:
    client.post("/v1/jobs", files={"content": jpeg()}, data={"style": "plain"})
    [job_id] = work(api)
    url = client.get(f"/v1/jobs/{job_id}").json()["output"]["url"]
    nobody = {"Authorization": ""}
    assert client.get(url, headers=nobody).status_code == 200
    other = url.replace(str(api.ground.tenant_id), str(job_id))
    assert client.get(other, headers=nobody).status_code == 401
