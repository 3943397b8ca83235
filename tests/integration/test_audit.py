"""The audit log: one line a deed, in its transaction, and no way to change it unseen."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.cli import cli
from app.db import Sessions, audit, tenants
from app.db.models import AuditLine
from app.domain.job import Lane
from app.erasing import erase
from app.errors import BadRequest, NotFound
from app.settings import settings
from app.storage import Blob, LocalStorage, asset_key
from tests.integration.conftest import Api, fail
from tests.integration.test_api_campaigns import new_campaign
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.rows import new_ground, new_jobs
from tests.unit.pictures import jpeg


def written(sessions: Sessions, amount: int = 5) -> UUID:
    """A chain of lines."""
    chain = uuid4()
    for number in range(amount):
        with sessions.begin() as session:
            audit.record(
                session, chain, by="key:x", action="thing.done", details={"number": number}
            )
    return chain


def flaw(sessions: Sessions, chain: UUID) -> str | None:
    with sessions() as session:
        [walked] = audit.verify(session, chain)
    return walked.flaw


def test_a_chain_that_nobody_touched_is_whole(sessions: Sessions) -> None:
    chain = written(sessions)
    with sessions() as session:
        [walked] = audit.verify(session, chain)
        lines = audit.lines(session, chain, before=None, limit=10)
    assert (walked.sequence, walked.flaw) == (5, None)
    assert walked.hash == lines[0].hash
    assert [line.sequence for line in lines] == [5, 4, 3, 2, 1]
    assert lines[-1].previous == audit.START
    assert [line.previous for line in lines[:-1]] == [line.hash for line in lines[1:]]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET action = 'nothing.done'",
        "UPDATE audit_log SET details = details",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ],
)
def test_the_table_refuses_all_but_appending(sessions: Sessions, statement: str) -> None:
    written(sessions, 1)
    with pytest.raises(IntegrityError, match="only appended to"), sessions.begin() as session:
        session.execute(text(statement))


def forging(statement: str) -> Callable[[Session, UUID], None]:
    """What somebody with the owner's password could do."""

    def forge(session: Session, chain: UUID) -> None:
        session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        session.execute(text(statement), {"chain": chain.hex})
        session.execute(text("ALTER TABLE audit_log ENABLE TRIGGER USER"))

    return forge


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE audit_log SET action = 'x.y' WHERE chain = :chain AND sequence = 3",
            "line 3: it was changed",
        ),
        (
            "UPDATE audit_log SET at = at + interval '1 microsecond'"
            " WHERE chain = :chain AND sequence = 2",
            "line 2: it was changed",
        ),
        (
            "UPDATE audit_log SET details = '{}' WHERE chain = :chain AND sequence = 4",
            "line 4: its details were changed",
        ),
        (
            "DELETE FROM audit_log WHERE chain = :chain AND sequence = 2",
            "line 2: missing; the next is 3",
        ),
        (
            "DELETE FROM audit_log WHERE chain = :chain AND sequence = 1",
            "line 1: missing; the next is 2",
        ),
        (
            "DELETE FROM audit_log WHERE chain = :chain AND sequence = 5",
            "line 5: missing at the end, or the end was exchanged",
        ),
        (
            "DELETE FROM audit_log WHERE chain = :chain",
            "line 1: missing at the end, or the end was exchanged",
        ),
        (
            "DELETE FROM audit_heads WHERE chain = :chain",
            "line 6: missing at the end, or the end was exchanged",
        ),
    ],
)
def test_the_first_broken_line_is_named(sessions: Sessions, statement: str, said: str) -> None:
    chain, other = written(sessions), written(sessions)
    with sessions.begin() as session:
        forging(statement)(session, chain)
    assert flaw(sessions, chain) == said
    assert flaw(sessions, other) is None


def test_a_line_that_was_forged_whole_breaks_the_next(sessions: Sessions) -> None:
    chain = written(sessions)
    with sessions.begin() as session:
        line = session.get_one(AuditLine, (chain, 3))
        line.action = "other.done"
        new = {"action": line.action, "hash": audit.digest(line), "chain": chain.hex}
        session.expunge(line)
        session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER USER"))
        session.execute(
            text(
                "UPDATE audit_log SET action = :action, hash = :hash"
                " WHERE chain = :chain AND sequence = 3"
            ),
            new,
        )
        session.execute(text("ALTER TABLE audit_log ENABLE TRIGGER USER"))
    assert flaw(sessions, chain) == "line 4: it is not bound to the line before"


def test_many_writers_make_one_chain(sessions: Sessions) -> None:
    chain = uuid4()

    def write(number: int) -> None:
        with sessions.begin() as session:
            audit.record(session, chain, by="key:x", action="thing.done", target=str(number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(80)))
    with sessions() as session:
        [walked] = audit.verify(session, chain)
    assert (walked.sequence, walked.flaw) == (80, None)


def test_what_was_rolled_back_is_not_told(sessions: Sessions) -> None:
    chain = written(sessions, 2)
    with sessions() as session:
        audit.record(session, chain, by="key:x", action="thing.done")
        session.rollback()
    with sessions() as session:
        [walked] = audit.verify(session, chain)
    assert (walked.sequence, walked.flaw) == (2, None)


def told(client: TestClient, **query: Any) -> list[tuple[str, str, str]]:
    page = client.get("/v1/audit", params=query).json()
    return [(line["action"], line["by"], line["target"]) for line in page["data"]]


def test_deeds_over_http_are_told(api: Api, client: TestClient) -> None:
    by = f"key:{api.key[4:12]}"
    key = client.post("/v1/keys", json={"name": "shop"}).json()
    new = client.post(f"/v1/keys/{key['prefix']}/rotate").json()
    client.delete(f"/v1/keys/{new['prefix']}")
    upload = {"upload_id": upload_of(client, jpeg())}
    items = [{"custom_id": str(number), "input": upload} for number in range(1_000)]
    campaign = {"name": "spring", "style": "plain", "items": items}
    campaign_id = client.post("/v1/campaigns", json=campaign).json()["id"]
    client.post(f"/v1/campaigns/{campaign_id}/cancel")
    client.put("/v1/tenant/retention", json={"outputs": 90})
    client.post("/v1/erasures", json={"campaign": campaign_id})
    lines = told(client)
    assert [line[:2] for line in reversed(lines)] == [
        ("key.created", "operator"),
        ("key.created", by),
        ("key.rotated", by),
        ("key.revoked", by),
        ("campaign.accepted", by),
        ("campaign.canceled", by),
        ("retention.changed", by),
        ("erasure.requested", by),
    ]
    assert lines[3][2] == f"campaign:{campaign_id}"
    details = {line["action"]: line["details"] for line in client.get("/v1/audit").json()["data"]}
    assert details["campaign.accepted"] == {"items": 1_000}
    assert details["campaign.canceled"] == {"jobs": 1_000}
    assert details["retention.changed"] == {"outputs": 90}
    assert key["key"] not in client.get("/v1/audit").text
    assert flaw(api.desk.sessions, api.ground.tenant_id) is None


def test_what_is_done_to_endpoints_is_told(client: TestClient) -> None:
    hook = {"url": "https://shop.example/hook"}
    made = client.post("/v1/webhook-endpoints", json=hook)
    place = made.headers["location"]
    client.patch(place, json={"enabled": False})
    client.post(f"{place}/rotate-secret")
    client.delete(place)
    deeds = [line[0] for line in told(client)][:4]
    assert deeds == [f"endpoint.{deed}" for deed in ("deleted", "rotated", "changed", "created")]
    assert "shop.example" not in client.get("/v1/audit").text


def test_how_work_is_steered_is_told_and_what_changes_nothing_is_not(
    api: Api, client: TestClient
) -> None:
    item = {"custom_id": "a", "input": {"upload_id": upload_of(client, jpeg())}}
    campaign = new_campaign(client, 0, items=[item], budget_micros=10**6)
    urls, place = campaign["urls"], f"/v1/campaigns/{campaign['id']}"
    for _ in range(2):
        assert client.post(urls["pause"]).status_code == 200
    for _ in range(2):
        assert client.post(urls["resume"]).status_code == 200
    assert client.post(f"{place}/priority", json={"priority": 5}).status_code == 200
    assert client.post(f"{place}/budget", json={"budget_micros": 2 * 10**6}).status_code == 200
    fail(api, lane=Lane.CAMPAIGN)
    assert client.post(urls["retry_failed"]).status_code == 200
    job = client.get(f"{place}/items").json()["data"][0]["id"]
    assert client.post(f"/v1/jobs/{job}/priority", json={"priority": -3}).status_code == 200
    fail(api, lane=Lane.CAMPAIGN)
    assert client.post(f"/v1/jobs/{job}/retry").status_code == 200
    lines = client.get("/v1/audit").json()["data"]
    assert [(one["action"], one["details"]) for one in reversed(lines)][-7:] == [
        ("campaign.paused", {}),
        ("campaign.resumed", {}),
        ("campaign.prioritised", {"priority": 5}),
        ("campaign.budgeted", {"budget_micros": 2 * 10**6}),
        ("campaign.retried", {}),
        ("job.prioritised", {"priority": -3}),
        ("job.retried", {}),
    ]
    assert {one["target"] for one in lines[:7]} == {f"campaign:{campaign['id']}", f"job:{job}"}
    assert {one["by"] for one in lines[:7]} == {f"key:{api.key[4:12]}"}
    before = told(client)
    refusal(client.post(f"/v1/jobs/{job}/retry"), 409, "illegal-transition")
    assert told(client) == before


def test_a_refused_deed_is_not_told(client: TestClient) -> None:
    before = told(client)
    refusal(client.delete("/v1/keys/nobody"), 404, "not-found")
    refusal(client.post(f"/v1/campaigns/{uuid4()}/cancel"), 404, "not-found")
    assert told(client) == before


def test_the_log_comes_in_pages_and_each_tenants_apart(api: Api, client: TestClient) -> None:
    for number in range(5):
        client.post("/v1/keys", json={"name": f"key {number}"})
    page = client.get("/v1/audit", params={"limit": 4}).json()
    rest = client.get("/v1/audit", params={"cursor": page["next_cursor"]}).json()
    assert [line["sequence"] for line in page["data"] + rest["data"]] == [6, 5, 4, 3, 2, 1]
    assert rest["next_cursor"] is None
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    theirs = client.get("/v1/audit", headers=stranger).json()
    assert [line["sequence"] for line in theirs["data"]] == [1]
    stolen = client.get("/v1/audit", params={"cursor": page["next_cursor"]}, headers=stranger)
    refusal(stolen, 400, "bad-request")


@pytest.fixture
def operator(database_url: str, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody at a shell beside that database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()

    def types(*words: str) -> Any:
        answer = CliRunner().invoke(cli, words)
        return answer.exit_code, answer.output

    yield types
    settings.cache_clear()


def test_an_operator_verifies_the_log(operator: Any, sessions: Sessions) -> None:
    assert operator("keys", "create", "--tenant", "acme")[0] == 0
    code, shown = operator("audit", "verify", "--json")
    [chain] = json.loads(shown)["chains"]
    assert (code, chain["tenant"], chain["lines"], chain["flaw"]) == (0, "acme", 1, None)
    assert operator("tenants", "quota", "acme", "--requests-per-minute", "600")[0] == 0
    code, shown = operator("audit", "verify", "--anchor", chain["hash"])
    assert (code, "acme: whole; 2 lines" in shown) == (0, True)
    assert operator("audit", "verify", "--anchor", "f" * 64)[0] == 1
    with sessions.begin() as session:
        its = tenants.named(session, "acme").id
        assert tenants.get(session, its).quotas == {"burst": 600}
        forge = "UPDATE audit_log SET by = 'nobody' WHERE chain = :chain AND sequence = 2"
        forging(forge)(session, its)
    code, shown = operator("audit", "verify")
    assert (code, "acme: line 2: it was changed" in shown) == (1, True)
    code, shown = operator("audit", "list", "--tenant", "acme", "--json")
    [second, first] = json.loads(shown)
    assert (first["action"], second["action"]) == ("key.created", "quota.changed")
    assert first["by"].startswith("operator")


def test_an_operator_has_things_erased(operator: Any, sessions: Sessions, tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with sessions.begin() as session:
        ground = new_ground(session, "acme")
        [job_id] = new_jobs(session, ground, 1)
    digest = sha256(b"content").hexdigest()
    storage.put(Blob(asset_key(ground.tenant_id, digest), b"content", "image/jpeg"))
    where = ("--tenant", "acme", "--wait", "0")
    code, shown = operator("erase", *where, "--job", str(job_id), "--json")
    assert (code, json.loads(shown)["finished_at"]) == (0, None)
    erase(sessions, storage)
    with pytest.raises(NotFound):
        storage.get(asset_key(ground.tenant_id, digest))
    deeds = [row["action"] for row in json.loads(operator("audit", "list", "--json")[1])]
    assert deeds == ["erasure.finished", "erasure.requested"]
    assert "erasure.finished" in operator("audit", "list")[1]
    assert isinstance(CliRunner().invoke(cli, ["erase", *where]).exception, BadRequest)
    odd = ["erase", *where, "--campaign", str(job_id)]
    assert isinstance(CliRunner().invoke(cli, odd).exception, NotFound)


def test_an_operator_sets_quotas_and_retention(operator: Any) -> None:
    key = operator("keys", "create", "--tenant", "acme", "--scope", "read", "--days", "3")[
        1
    ].strip()
    assert operator("tenants", "retention", "acme", "--outputs", "30")[0] == 0
    [row] = json.loads(operator("tenants", "list", "--json")[1])
    assert (row["tenant"], row["keys"], row["retention"]) == ("acme", 1, {"outputs": 30})
    assert "outputs=30" in operator("tenants", "list")[1]
    code, new = operator("keys", "rotate", key[:12], "--overlap", "0")
    assert (code, new.startswith("imp_")) == (0, True)
    states = [row["state"] for row in json.loads(operator("keys", "list", "--json")[1])]
    assert states == ["expired", "active"]
    assert operator("keys", "revoke", new[:12])[0] == 0
    assert operator("keys", "list")[0] == 0
