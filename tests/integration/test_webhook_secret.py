"""The secret of a tenant's own webhooks is renewed without a webhook that is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.testclient import TestClient

from app.domain.rotation import RETIRED
from app.settings import WebhookSettings
from tests.integration.conftest import Api
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_webhooks import fine, sending
from tests.loopback import Received, serving
from workers.delivery import deliver

PLACE = "/v1/webhook-secret"
URL = "https://pictures.example/a.jpg"


@pytest.fixture
def api(api: Api) -> Api:
    """One that takes receivers on this machine."""
    settings = api.desk.settings.model_copy(
        update={"webhooks": WebhookSettings(allow_private=True)}
    )
    return replace(api, desk=replace(api.desk, settings=settings))


def secret(client: TestClient) -> str:
    return str(client.get(PLACE).json()["secret"])


def delivered(api: Api, client: TestClient) -> Received:
    """What a receiver gets that a job came with."""
    with serving(fine) as receiver, sending(api) as room:
        body = {"style": "plain", "input": {"url": URL}, "webhook": {"url": receiver.url}}
        job = client.post("/v1/jobs", json=body).json()
        assert client.post(job["urls"]["cancel"]).status_code == 200
        assert deliver(room) == {"sent": 1, "delivered": 1}
        return receiver.received[0]


def test_for_a_day_the_old_secret_signs_beside_the_new_one(api: Api, client: TestClient) -> None:
    old = secret(client)
    [until] = client.post(f"{PLACE}/rotate").json()["retired_until"]
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(days=1)
    assert secret(client) != old
    assert client.get(PLACE).json()["retired_until"] == [until]
    seen = delivered(api, client)
    for one in (old, secret(client)):
        Webhook(one).verify(seen.body, seen.headers)


def test_a_leaked_secret_signs_nothing_more(api: Api, client: TestClient) -> None:
    old = secret(client)
    rotated = client.post(f"{PLACE}/rotate", json={"overlap_seconds": 0})
    assert rotated.json() == {"retired_until": []}
    seen = delivered(api, client)
    Webhook(secret(client)).verify(seen.body, seen.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(seen.body, seen.headers)


def test_never_too_many_sign_at_once(client: TestClient) -> None:
    for _ in range(RETIRED):
        assert client.post(f"{PLACE}/rotate").status_code == 200
    refusal(client.post(f"{PLACE}/rotate"), 409, "rotated-too-often")
    for wrong in (-1, 86_401, "soon"):
        answer = client.post(f"{PLACE}/rotate", json={"overlap_seconds": wrong})
        refusal(answer, 422, "invalid-request")


def test_who_renews_it_is_in_the_audit_log_and_the_secret_is_not(
    api: Api, client: TestClient
) -> None:
    client.post(f"{PLACE}/rotate")
    with api.desk.sessions() as session:
        rows = session.execute(text("SELECT action, target, details::text FROM audit_log")).all()
    assert [row.action for row in rows if row.action.startswith("webhook")] == [
        "webhook-secret.rotated"
    ]
    assert not any(secret(client) in row.details for row in rows)
