"""Keys that may do some things: every route of the document, with a key that may do all else."""

import json

import pytest
from starlette.testclient import TestClient

from app.db import keys
from app.domain.scopes import EVERYTHING, Scope, needed
from tests.integration.conftest import Api
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_tenants import OPEN, operations

KEYED = [
    (method, path, operation)
    for method, path, operation in operations()
    if (method, path) not in OPEN
]

#: What each operation needs, so that a change is seen in review. A new one is added by hand.
NEEDED = {
    Scope.READ: {
        "get /v1/jobs",
        "get /v1/jobs/{job_id}",
        "get /v1/campaigns",
        "get /v1/campaigns/{campaign_id}",
        "get /v1/campaigns/{campaign_id}/items",
        "get /v1/campaigns/{campaign_id}/events",
        "get /v1/campaigns/{campaign_id}/archive",
        "get /v1/campaigns/{campaign_id}/manifest",
        "get /v1/campaigns/{campaign_id}/report",
        "get /v1/jobs/{job_id}/events",
        "get /v1/provenance/{sha256}",
        "get /v1/webhook-deliveries",
        "get /v1/webhook-deliveries/{delivery_id}",
        "get /v1/webhook-endpoints",
        "get /v1/webhook-endpoints/{endpoint_id}",
        "get /v1/webhook-endpoints/{endpoint_id}/deliveries",
        "get /v1/cache",
        "get /v1/campaigns/{campaign_id}/manifest-errors",
        "get /v1/costs",
        "get /v1/costs/export",
        "get /v1/presets",
        "get /v1/presets/{preset}",
        "get /v1/styles",
        "get /v1/styles/{name}",
        "get /v1/styles/{name}/preview",
        "get /v1/styles/{name}/versions/{version}/assets",
        "get /v1/assets/{sha256}",
    },
    Scope.SUBMIT: {
        "post /v1/uploads",
        "post /v1/jobs",
        "post /v1/jobs/{job_id}/cancel",
        "post /v1/campaigns",
        "post /v1/campaigns/{campaign_id}/budget",
        "post /v1/campaigns/{campaign_id}/cancel",
        "post /v1/campaigns/{campaign_id}/pause",
        "post /v1/campaigns/{campaign_id}/priority",
        "post /v1/campaigns/{campaign_id}/resume",
        "post /v1/campaigns/{campaign_id}/retry-failed",
        "post /v1/jobs/{job_id}/priority",
        "post /v1/jobs/{job_id}/retry",
        "post /v1/estimates",
        "post /v1/presets",
        "delete /v1/presets/{preset}",
        "post /v1/styles",
        "post /v1/styles/{name}/activate",
        "post /v1/styles/{name}/submit-for-review",
        "post /v1/styles/{name}/suspend",
        "get /v1/webhook-secret",
    },
    Scope.REVIEW: {
        "get /v1/reviews",
        "post /v1/reviews",
        "post /v1/reviews/{job_id}",
        "get /v1/reviews/{job_id}/output",
    },
    Scope.ADMIN: {
        "post /v1/webhook-secret/rotate",
        "post /v1/styles/{name}/reinstate",
        "post /v1/styles/{name}/retire",
        "post /v1/styles/{name}/withdraw",
        "get /v1/webhook-endpoints/{endpoint_id}/secret",
        "post /v1/webhook-endpoints",
        "patch /v1/webhook-endpoints/{endpoint_id}",
        "delete /v1/webhook-endpoints/{endpoint_id}",
        "post /v1/webhook-endpoints/{endpoint_id}/replay",
        "post /v1/webhook-endpoints/{endpoint_id}/rotate-secret",
        "post /v1/webhook-endpoints/{endpoint_id}/test",
        "post /v1/webhook-deliveries/{delivery_id}/replay",
        "get /v1/keys",
        "post /v1/keys",
        "post /v1/keys/{prefix}/rotate",
        "delete /v1/keys/{prefix}",
        "get /v1/tenant",
        "put /v1/tenant/retention",
        "get /v1/audit",
        "get /v1/erasures",
        "post /v1/erasures",
        "get /v1/erasures/{erasure_id}",
        "get /v1/erasures/{erasure_id}/digests",
    },
}


@pytest.fixture(scope="module")
def lacking(shared_api: Api) -> dict[Scope, str]:
    """For each scope a key that has all others."""
    with shared_api.desk.sessions.begin() as session:
        return {
            scope: keys.create(
                session, tenant="one", name="narrow", scopes=set(EVERYTHING) - {scope}
            )
            for scope in Scope
        }


def test_every_operation_says_what_it_needs() -> None:
    said = {f"{method} {path}": operation["x-scope"] for method, path, operation in KEYED}
    assert said == {name: scope for scope, names in NEEDED.items() for name in names}
    for _, path, operation in KEYED:
        assert f"scope `{operation['x-scope']}`" in operation["description"], path


def test_what_is_open_needs_nothing() -> None:
    for method, path, operation in operations():
        assert ("x-scope" in operation) == ((method, path) not in OPEN), path


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [(method, path, operation["x-scope"]) for method, path, operation in KEYED],
)
def test_a_key_without_the_scope_is_refused_before_its_body_is_read(
    shared_api: Api,
    shared_client: TestClient,
    lacking: dict[Scope, str],
    method: str,
    path: str,
    scope: str,
) -> None:
    before = shared_api.stored()
    headers = {"Authorization": f"Bearer {lacking[Scope(scope)]}"}
    address = path.replace("{sha256}", "a" * 64)
    answer = shared_client.request(method, address, headers=headers, content=b"{")
    problem = refusal(answer, 403, "insufficient-scope")
    assert problem["needed"] == scope
    assert f"scope '{scope}'" in problem["detail"]
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    assert answer.headers["www-authenticate"] == challenge
    assert shared_api.stored() == before


def test_a_key_with_the_scope_alone_is_let_in(shared_api: Api, shared_client: TestClient) -> None:
    for scope, path in {Scope.READ: "/v1/jobs", Scope.ADMIN: "/v1/keys"}.items():
        with shared_api.desk.sessions.begin() as session:
            key = keys.create(session, tenant="one", name="narrow", scopes=[scope])
        headers = {"Authorization": f"Bearer {key}"}
        assert shared_client.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "tags", "scope"),
    [
        ("GET", [], Scope.READ),
        ("POST", ["jobs"], Scope.SUBMIT),
        ("DELETE", ["campaigns"], Scope.SUBMIT),
        ("GET", ["reviews"], Scope.READ),
        ("POST", ["reviews"], Scope.REVIEW),
        ("GET", ["webhooks"], Scope.READ),
        ("PATCH", ["webhooks"], Scope.ADMIN),
        ("GET", ["keys"], Scope.ADMIN),
        ("GET", ["audit"], Scope.ADMIN),
        ("PUT", ["tenant"], Scope.ADMIN),
        ("POST", ["erasures"], Scope.ADMIN),
        ("POST", ["jobs", "reviews"], Scope.REVIEW),
    ],
)
def test_method_and_tags_say_what_is_needed(method: str, tags: list[str], scope: Scope) -> None:
    assert needed(method, tags) is scope


def test_a_signed_link_needs_no_scope_and_a_key_does(
    shared_client: TestClient, lacking: dict[Scope, str]
) -> None:
    headers = {"Authorization": f"Bearer {lacking[Scope.READ]}"}
    digest = "b" * 64
    link = f"/v1/assets/{digest}?owner={'0' * 8}-0000-0000-0000-{'0' * 12}&expires=1&signature=x"
    assert shared_client.get(link, headers=headers).json()["code"] == "unauthorized"
    answer = shared_client.get(f"/v1/assets/{digest}", headers=headers)
    assert json.loads(answer.text)["code"] == "insufficient-scope"
