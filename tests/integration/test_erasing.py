"""Being forgotten: bytes, links and what rows tell; and what others need stays."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from starlette.testclient import TestClient

from app.db import Sessions, erasures, intake, jobs
from app.db.intake import NewAsset
from app.db.models import AssetKind, ErasureKind, Job
from app.domain.job import JobStatus, Lane
from app.erasing import erase, retain
from app.storage import Blob, LocalStorage, asset_key
from tests.integration.conftest import Api, fail, work
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_styles import PAINTING, learn, order
from tests.integration.test_api_uploads import announce, send, upload_of
from tests.unit.pictures import jpeg, png

sizes = count(40)


def picture() -> bytes:
    """Another one each time."""
    return jpeg((next(sizes), 64))


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def drawn(api: Api, lane: Lane = Lane.INTERACTIVE) -> list[tuple[UUID, str]]:
    """End what waits well, each content with an output of its own: ids and outputs."""
    with api.desk.sessions.begin() as session:
        rows = jobs.claim(session, lane, worker="w", limit=1_000, pixels=2**40, lease=60.0)
    ended = []
    for row in rows:
        output = png((33 + int(row.content_digest[:4], 16) % 900, 40), compress_level=1)
        store(api, output)
        ended.append((row, digest(output)))
    with api.desk.sessions.begin() as session:
        brought = [
            jobs.Success(jobs.Held(row.id, row.attempt), output, 100, "{}") for row, output in ended
        ]
        jobs.succeed(session, brought, by="w")
    return [(row.id, output) for row, output in ended]


def store(api: Api, content: bytes, kind: AssetKind = AssetKind.OUTPUT) -> None:
    tenant = api.ground.tenant_id
    api.desk.storage.put(Blob(asset_key(tenant, digest(content)), content, "image/png"))
    asset = NewAsset(tenant, digest(content), kind, "image/png", len(content), 64, 40)
    with api.desk.sessions.begin() as session:
        intake.add_assets(session, [asset])


def job(client: TestClient, content: bytes, **options: Any) -> str:
    """A job with everything in it that a caller can put in."""
    given = {"upload_id": upload_of(client, content)}
    hook = {"url": "https://shop.example/hook?person=jane", "events": ["job.succeeded"]}
    body = {"style": "plain", "input": given, "metadata": {"who": "Jane"}, "webhook": hook}
    answer = client.post("/v1/jobs", json=body | options)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def campaign(client: TestClient, contents: Sequence[bytes], name: str = "for Jane") -> Any:
    items = [
        {
            "custom_id": f"jane-{number}",
            "input": {"upload_id": upload_of(client, content)},
            "metadata": {"who": "Jane"},
        }
        for number, content in enumerate(contents)
    ]
    hook = {"url": "https://shop.example/hook", "events": ["job.succeeded", "campaign.completed"]}
    body = {"name": name, "style": "plain", "items": items, "webhook": hook}
    answer = client.post("/v1/campaigns", json=body | {"metadata": {"who": "Jane"}})
    assert answer.status_code == 202, answer.text
    return answer.json()


def erased(api: Api, client: TestClient, **what: Any) -> Any:
    """The receipt."""
    asked = client.post("/v1/erasures", json=what)
    assert asked.status_code == 202, asked.text
    assert asked.json()["status"] == "running"
    assert asked.headers["retry-after"] == "1"
    assert erase(api.desk.sessions, api.desk.storage, seconds=30) > 0
    receipt = client.get(asked.headers["location"]).json()
    assert receipt["status"] == "finished"
    listed = client.get(receipt["urls"]["digests"])
    assert sha256(listed.content).hexdigest() == receipt["digests_sha256"]
    assert len(listed.text.split()) == receipt["erased_pictures"]
    return receipt


def is_gone(api: Api, client: TestClient, name: str) -> bool:
    """Whether bytes and row agree about it."""
    there = (storage_of(api).root / asset_key(api.ground.tenant_id, name)).is_file()
    answer = client.get(f"/v1/assets/{name}")
    assert answer.status_code == (200 if there else 410)
    if not there:
        refusal(answer, 410, "erased")
    return not there


def storage_of(api: Api) -> LocalStorage:
    assert isinstance(api.desk.storage, LocalStorage)
    return api.desk.storage


def told_anywhere(api: Api, word: str) -> list[str]:
    """The tables in which a word of a caller's still stands."""
    tables = (
        *("jobs", "campaigns", "events", "deliveries", "job_history", "uploads", "audit_log"),
        *("erasures", "kept_answers"),
    )
    with api.desk.sessions() as session:
        return [
            table
            for table in tables
            if session.scalar(
                text(f"SELECT count(*) FROM {table} AS t WHERE t::text ILIKE :word"),  # noqa: S608
                {"word": f"%{word}%"},
            )
        ]


def test_an_erased_job_leaves_nothing_of_its_callers(api: Api, client: TestClient) -> None:
    content = picture()
    job_id = job(client, content)
    [(_, output)] = drawn(api)
    link = client.get(f"/v1/jobs/{job_id}").json()["output"]["url"]
    etag = client.get(f"/v1/jobs/{job_id}").headers["etag"]
    assert told_anywhere(api, "jane")
    receipt = erased(api, client, job=job_id)
    assert (receipt["erased_jobs"], receipt["erased_pictures"], receipt["kept_pictures"]) == (
        *(1, 2, 0),
    )
    assert receipt["erased_bytes"] > len(content)
    assert is_gone(api, client, digest(content))
    assert is_gone(api, client, output)
    refusal(client.get(link, headers={"Authorization": ""}), 410, "erased")
    refusal(client.get(f"/v1/provenance/{output}"), 410, "erased")
    shown = client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": etag})
    assert shown.status_code == 200
    assert (shown.json()["status"], shown.json()["output"]) == ("succeeded", None)
    assert (shown.json()["metadata"], shown.json()["erased_at"] is not None) == ({}, True)
    deliveries = {"deliveries"}  # who was told stays, until webhooks forget
    assert set(told_anywhere(api, "jane")) <= deliveries


def test_an_erased_picture_takes_with_it_what_was_made_of_it(api: Api, client: TestClient) -> None:
    content, other = picture(), picture()
    first, second = job(client, content), job(client, content, strength=0.5)
    untouched = job(client, other)
    outputs = dict(drawn(api))
    receipt = erased(api, client, asset=digest(content))
    assert receipt["erased_jobs"] == 2
    assert is_gone(api, client, digest(content))
    assert is_gone(api, client, outputs[UUID(first)])
    assert is_gone(api, client, outputs[UUID(second)])
    assert not is_gone(api, client, digest(other))
    assert client.get(f"/v1/jobs/{untouched}").json()["metadata"] == {"who": "Jane"}


def test_an_erased_output_leaves_the_content_it_was_made_from(api: Api, client: TestClient) -> None:
    content = picture()
    job(client, content)
    [(_, output)] = drawn(api)
    receipt = erased(api, client, asset=output)
    assert (receipt["erased_jobs"], receipt["erased_pictures"]) == (1, 1)
    assert is_gone(api, client, output)
    assert not is_gone(api, client, digest(content))


def test_a_content_that_other_jobs_use_stays_for_them(api: Api, client: TestClient) -> None:
    content = picture()
    first = job(client, content)
    drawn(api)
    job(client, content, strength=0.3)  # waits
    receipt = erased(api, client, job=first)
    assert receipt["kept_pictures"] == 1
    assert receipt["erased_pictures"] == 1  # what was made of it
    assert not is_gone(api, client, digest(content))
    [(second, output)] = drawn(api)
    receipt = erased(api, client, job=str(second))
    assert receipt["kept_pictures"] == 0
    assert is_gone(api, client, digest(content))
    assert is_gone(api, client, output)


def test_an_output_that_is_about_to_be_drawn_again_stays(api: Api, client: TestClient) -> None:
    content = picture()
    first = job(client, content)
    [(_, output)] = drawn(api)
    job(client, content)  # the same render key
    erased(api, client, job=first)
    assert not is_gone(api, client, output)
    drawn(api)
    assert not is_gone(api, client, output)


def test_a_running_job_is_canceled_first_and_what_it_brings_late_is_refused(
    api: Api, client: TestClient
) -> None:
    content = picture()
    waiting, running = job(client, content), job(client, content, strength=0.4)
    with api.desk.sessions.begin() as session:
        jobs.cancel(session, api.ground.tenant_id, UUID(waiting))
        [row] = jobs.claim(session, Lane.INTERACTIVE, worker="w", limit=9, pixels=2**40, lease=60.0)
    receipt = erased(api, client, asset=digest(content))
    assert (receipt["canceled_jobs"], receipt["erased_jobs"]) == (1, 2)
    with api.desk.sessions.begin() as session:
        late = jobs.Success(jobs.Held(row.id, row.attempt), digest(content), 1, "{}")
        assert jobs.succeed(session, [late], by="w") == set()
    assert client.get(f"/v1/jobs/{running}").json()["status"] == "canceled"


def test_an_erased_campaign_keeps_its_counts_and_costs_alone(api: Api, client: TestClient) -> None:
    contents = [picture() for _ in range(130)]
    contents += contents[:20]  # some twice, far apart
    made = campaign(client, contents)
    outputs = drawn(api, Lane.CAMPAIGN)
    waiting = campaign(client, [picture()], "another")
    receipt = erased(api, client, campaign=made["id"])
    assert receipt["erased_jobs"] == 150
    assert receipt["kept_pictures"] == 0
    assert receipt["erased_pictures"] == len({*map(digest, contents), *dict(outputs).values()})
    shown = client.get(made["urls"]["get"]).json()
    assert (shown["name"], shown["metadata"]) == ("erased", {})
    assert (shown["counts"]["succeeded"], shown["cost"]["actual_micros"]) == (150, 15_000)
    page = client.get(made["urls"]["items"]).json()["data"]
    assert {(item["custom_id"], str(item["metadata"])) for item in page} == {(None, "{}")}
    assert client.get(waiting["urls"]["get"]).json()["name"] == "another"
    with api.desk.sessions() as session:
        told = text("SELECT data FROM events WHERE campaign_id = CAST(:id AS uuid)")
        events = list(session.scalars(told, {"id": made["id"]}))
    assert len(events) == 151
    assert not [data for data in events if "jane" in str(data).lower()]


def test_all_is_all_of_one_tenant(api: Api, client: TestClient) -> None:
    job(client, picture())
    drawn(api)
    made = campaign(client, [picture(), picture()])
    upload_of(client, loose := picture())
    order(client)
    lines = (
        b'{"custom_id": "jane"}\n{"custom_id": "j", "input": {"url": "https://a.example/x.jpg"}}'
    )
    sent = announce(client, lines, media_type="application/x-ndjson")
    send(client, sent, lines)
    listed = {"name": "for Jane", "style": "plain", "manifest": {"upload_id": sent["id"]}}
    listed_campaign = client.post("/v1/campaigns", json=listed).json()
    assert client.get(listed_campaign["urls"]["manifest_errors"]).json()["data"]
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    files = {"content": picture()}
    kept = client.post("/v1/jobs", files=files, data={"style": "plain"}, headers=stranger)
    receipt = erased(api, client, all=True)
    assert receipt["canceled_jobs"] == 4
    assert client.get(listed_campaign["urls"]["manifest_errors"]).json()["data"] == []
    refusal(client.post("/v1/campaigns", json=listed), 422, "unknown-upload")
    assert is_gone(api, client, digest(loose))
    assert is_gone(api, client, digest(PAINTING))
    assert client.get(made["urls"]["get"]).json()["name"] == "erased"
    for folder in ("assets", "manifests"):
        tenant = storage_of(api).root / folder / str(api.ground.tenant_id)
        assert not [path for path in tenant.rglob("*") if path.is_file()]
    answer = client.get(f"/v1/jobs/{kept.json()['id']}", headers=stranger)
    assert answer.json()["status"] == "queued"
    assert not {"jobs", "campaigns", "uploads"} & set(told_anywhere(api, "jane"))


def test_a_styles_picture_stays_unless_it_is_meant_itself(api: Api, client: TestClient) -> None:
    order(client)
    learn(api)
    learning = client.get("/v1/styles/harbour").json()["versions"][0]["job"]
    receipt = erased(api, client, job=learning.rpartition("/")[2])
    assert (receipt["erased_pictures"], receipt["kept_pictures"]) == (0, 2)
    client.post("/v1/styles/harbour/activate")
    body = {"style": "harbour", "quality": "print", "input": {"upload_id": ""}}
    body["input"] = {"upload_id": upload_of(client, picture())}
    assert client.post("/v1/jobs", json=body).status_code == 202
    receipt = erased(api, client, asset=digest(PAINTING))
    assert is_gone(api, client, digest(PAINTING))
    refusal(client.post("/v1/jobs", json=body), 422, "no-style-picture")
    assert client.post("/v1/jobs", json=body | {"quality": "standard"}).status_code == 202


def test_a_mask_goes_with_its_last_job(api: Api, client: TestClient) -> None:
    mask = picture()
    wanted = {"mask": {"upload_id": upload_of(client, mask)}}
    first, second = job(client, picture(), **wanted), job(client, picture(), **wanted)
    drawn(api)
    erased(api, client, job=first)
    assert not is_gone(api, client, digest(mask))
    erased(api, client, job=second)
    assert is_gone(api, client, digest(mask))
    third = job(client, picture(), mask={"upload_id": upload_of(client, mask)})
    receipt = erased(api, client, asset=digest(mask))
    assert receipt["canceled_jobs"] == 1
    assert client.get(f"/v1/jobs/{third}").json()["status"] == "canceled"


def test_erased_bytes_may_come_again(api: Api, client: TestClient) -> None:
    content = picture()
    old = upload_of(client, content)
    erased(api, client, asset=digest(content))
    body = {"style": "plain", "input": {"upload_id": old}}
    refusal(client.post("/v1/jobs", json=body), 422, "unknown-upload")
    upload = announce(client, content)
    assert upload["received"] is False
    assert send(client, upload, content).status_code == 204
    assert not is_gone(api, client, digest(content))
    body = {"style": "plain", "input": {"upload_id": upload["id"]}}
    assert client.post("/v1/jobs", json=body).status_code == 202
    erased(api, client, asset=digest(content))
    files = {"content": content}
    assert client.post("/v1/jobs", files=files, data={"style": "plain"}).status_code == 202
    assert not is_gone(api, client, digest(content))


def test_asking_twice_is_one_erasure_and_asking_later_finds_nothing(
    api: Api, client: TestClient
) -> None:
    content = picture()
    upload_of(client, content)
    asked = [client.post("/v1/erasures", json={"asset": digest(content)}) for _ in range(2)]
    assert asked[0].headers["location"] == asked[1].headers["location"]
    erase(api.desk.sessions, api.desk.storage)
    receipt = erased(api, client, asset=digest(content))
    assert (receipt["erased_pictures"], receipt["erased_bytes"]) == (0, 0)
    listed = client.get("/v1/erasures").json()["data"]
    assert [one["erased_pictures"] for one in listed] == [0, 1]
    audit = client.get("/v1/audit").json()["data"]
    deeds = [line["action"] for line in audit if line["action"].startswith("erasure")]
    assert deeds == ["erasure.finished", "erasure.requested"] * 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid-request"),
        ({"all": False}, 422, "invalid-request"),
        ({"all": True, "asset": "a" * 64}, 422, "invalid-request"),
        ({"asset": "A" * 64}, 422, "invalid-request"),
        ({"asset": "a" * 64}, 404, "not-found"),
        ({"job": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"}, 404, "not-found"),
        ({"campaign": "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"}, 404, "not-found"),
        ({"job": "x"}, 422, "invalid-request"),
        ({"tenant": "x"}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_erased_is_refused(
    shared_api: Api, shared_client: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    before = shared_api.stored()
    refusal(shared_client.post("/v1/erasures", json=body), status, code)
    assert shared_api.stored() == before


#: Deletes the bytes of the first batch, and is killed before it can say so.
KILLED = """
import os, signal, sys
from pathlib import Path
from app.db import open_database
from app.erasing import erase
from app.storage import LocalStorage

class Killed(LocalStorage):
    def delete(self, *keys):
        super().delete(*keys)
        os.kill(os.getpid(), signal.SIGKILL)

erase(open_database(sys.argv[1]), Killed(Path(sys.argv[2])), seconds=60)
"""


def test_an_erasure_that_was_killed_goes_on_where_it_was(
    api: Api, client: TestClient, database_url: str
) -> None:
    contents = [picture() for _ in range(120)]
    made = campaign(client, contents)
    outputs = drawn(api, Lane.CAMPAIGN)
    asked = client.post("/v1/erasures", json={"campaign": made["id"]}).headers["location"]
    root = str(storage_of(api).root)
    command = [sys.executable, "-c", KILLED, database_url, root]
    died = subprocess.run(command, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    assert client.get(asked).json()["erased_pictures"] == 0
    tenant = storage_of(api).root / "assets" / str(api.ground.tenant_id)
    left = len([path for path in tenant.rglob("*") if path.is_file()])
    everything = {*map(digest, contents), *dict(outputs).values()}
    assert 0 < left < len(everything)
    erase(api.desk.sessions, api.desk.storage, seconds=60)
    receipt = client.get(asked).json()
    assert (receipt["status"], receipt["erased_jobs"]) == ("finished", 120)
    assert receipt["erased_pictures"] == len(everything)
    assert not [path for path in tenant.rglob("*") if path.is_file()]


def test_two_at_once_do_an_erasure_once(api: Api, client: TestClient) -> None:
    content = picture()
    upload_of(client, content)
    client.post("/v1/erasures", json={"asset": digest(content)})
    with api.desk.sessions.begin() as session:
        assert erasures.take(session) is not None
        assert erase(api.desk.sessions, api.desk.storage) == 0
    assert erase(api.desk.sessions, api.desk.storage) == 2  # the picture, the end


@pytest.mark.parametrize(
    "change",
    [
        "source = 'x'",
        "erased_at = now()",
        "source = '', metadata = '{}', custom_id = NULL, webhook = NULL, erased_at = now(),"
        " cost_micros = 0",
        "source = '', metadata = '{}', custom_id = NULL, webhook = NULL, erased_at = now(),"
        " status = 'failed', error_code = 'x', output_digest = NULL",
    ],
)
def test_a_finished_job_can_be_blanked_and_nothing_else(
    api: Api, client: TestClient, change: str
) -> None:
    job(client, picture())
    drawn(api)
    with pytest.raises(IntegrityError, match="final"), api.desk.sessions.begin() as session:
        session.execute(text(f"UPDATE jobs SET {change}"))  # noqa: S608 - this file's own


def age(sessions: Sessions, days: int) -> None:
    """Everything happened so much earlier."""
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE jobs DISABLE TRIGGER USER"))
        for table, columns in {
            "jobs": ("created_at", "finished_at"),
            "campaigns": ("created_at", "finished_at"),
            "assets": ("created_at",),
        }.items():
            earlier = ", ".join(f"{one} = {one} - make_interval(days => {days})" for one in columns)
            session.execute(text(f"UPDATE {table} SET {earlier}"))  # noqa: S608 - this file's own
        session.execute(text("ALTER TABLE jobs ENABLE TRIGGER USER"))


def keep(api: Api, client: TestClient, **days: int) -> int:
    """How many batches there were after the tenant said how long it keeps what."""
    answer = client.put("/v1/tenant/retention", json=days)
    assert answer.status_code == 200
    assert {name: answer.json()["retention"][name] for name in days} == days
    return retain(api.desk.sessions, api.desk.storage, seconds=30)


def test_pictures_go_when_their_days_are_over(api: Api, client: TestClient) -> None:
    content = picture()
    done = job(client, content)
    [(_, output)] = drawn(api)
    upload_of(client, loose := picture())
    age(api.desk.sessions, 31)
    upload_of(client, young := picture())
    keep(api, client, contents=30, outputs=90)
    assert is_gone(api, client, digest(content))
    assert is_gone(api, client, digest(loose))
    assert not is_gone(api, client, digest(young))
    assert not is_gone(api, client, output)
    shown = client.get(f"/v1/jobs/{done}").json()
    assert (shown["metadata"], shown["erased_at"]) == ({"who": "Jane"}, None)
    age(api.desk.sessions, 60)
    keep(api, client, contents=30, outputs=90)
    assert is_gone(api, client, output)
    shown = client.get(f"/v1/jobs/{done}").json()
    assert (shown["output"], shown["erased_at"] is not None) == (None, True)


def test_what_is_still_used_stays_however_old(api: Api, client: TestClient) -> None:
    content, reused = picture(), picture()
    job(client, content)
    job(client, reused)
    drawn(api)
    order(client)
    learn(api)
    age(api.desk.sessions, 400)
    upload = {"upload_id": upload_of(client, reused)}
    client.post("/v1/jobs", json={"style": "plain", "strength": 0.1, "input": upload})
    keep(api, client, contents=30)
    assert is_gone(api, client, digest(content))
    assert not is_gone(api, client, digest(reused))
    assert not is_gone(api, client, digest(PAINTING))
    drawn(api)
    keep(api, client, contents=30)
    assert not is_gone(api, client, digest(reused))


def test_rows_go_with_their_pictures_and_money_stays(api: Api, client: TestClient) -> None:
    content = picture()
    done = job(client, content)
    made = campaign(client, [picture(), picture()])
    outputs = [output for lane in Lane for _, output in drawn(api, lane)]
    running = campaign(client, [picture()], "runs")
    age(api.desk.sessions, 400)
    young = job(client, picture())
    with api.desk.sessions() as session:
        money = session.scalar(text("SELECT count(*) FROM ledger"))
    keep(api, client, jobs=365)
    refusal(client.get(f"/v1/jobs/{done}"), 404, "not-found")
    for output in [*outputs, digest(content)]:
        assert is_gone(api, client, output)
    shown = client.get(made["urls"]["get"]).json()
    assert (shown["name"], shown["counts"]["succeeded"]) == ("erased", 2)
    assert client.get(made["urls"]["items"]).json()["data"] == []
    assert client.get(running["urls"]["get"]).json()["name"] == "runs"
    assert client.get(f"/v1/jobs/{young}").json()["status"] == "queued"
    with api.desk.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM ledger")) == money


def test_a_tenant_that_is_done_has_its_hour(api: Api, client: TestClient) -> None:
    assert retain(api.desk.sessions, api.desk.storage) == 0
    assert keep(api, client, contents=30) == 1
    assert retain(api.desk.sessions, api.desk.storage) == 0


@pytest.mark.parametrize("days", [{"contents": 0}, {"outputs": 36_501}, {"styles": 3}, []])
def test_odd_days_are_refused(shared_client: TestClient, days: Any) -> None:
    refusal(shared_client.put("/v1/tenant/retention", json=days), 422, "invalid-request")


def test_a_wish_of_a_tenant_is_not_anothers(api: Api, client: TestClient) -> None:
    """Equal bytes of two tenants are two pictures."""
    content = picture()
    upload_of(client, content)
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    refusal(
        client.post("/v1/erasures", json={"asset": digest(content)}, headers=stranger),
        *(404, "not-found"),
    )
    files = {"content": content}
    client.post("/v1/jobs", files=files, data={"style": "plain"}, headers=stranger)
    erased(api, client, asset=digest(content))
    assert is_gone(api, client, digest(content))
    assert client.get(f"/v1/assets/{digest(content)}", headers=stranger).status_code == 200


def test_an_answer_that_is_given_again_tells_nothing_of_what_was_erased(
    api: Api, client: TestClient
) -> None:
    headers = {"Idempotency-Key": '"a"'}
    given = {"upload_id": upload_of(client, picture())}
    body = {"style": "plain", "input": given, "metadata": {"who": "Jane"}}
    first = client.post("/v1/jobs", json=body, headers=headers)
    erased(api, client, job=first.json()["id"])
    again = client.post("/v1/jobs", json=body, headers=headers)
    assert (again.status_code, again.json()) == (202, {"erased": True})
    assert again.headers["location"] == first.headers["location"]


def test_what_awaits_a_reviewer_is_rejected_and_his_words_go(api: Api, client: TestClient) -> None:
    seen = job(client, picture(), review="all")
    work(api)
    note = {"decision": "reject", "reason_code": "off-brand", "note": "Jane looks sad"}
    assert client.post(f"/v1/reviews/{seen}", json=note).status_code == 200
    erased(api, client, job=seen)
    shown = client.get(f"/v1/jobs/{seen}").json()
    assert (shown["status"], shown["review"]["reason_code"]) == ("rejected", "off-brand")
    assert not {"jobs", "job_history", "events"} & set(told_anywhere(api, "jane"))
    content = picture()
    waiting = job(client, content, review="all")
    work(api)
    receipt = erased(api, client, asset=digest(content))
    assert (receipt["canceled_jobs"], receipt["erased_jobs"]) == (1, 1)
    shown = client.get(f"/v1/jobs/{waiting}").json()
    assert (shown["status"], shown["review"]["reason_code"]) == ("rejected", "erased")
    refusal(client.get(f"/v1/reviews/{waiting}/output"), 410, "erased")


def test_what_waits_in_a_paused_campaign_needs_its_pictures(api: Api, client: TestClient) -> None:
    content = picture()
    made = campaign(client, [content])
    assert client.post(f"/v1/campaigns/{made['id']}/pause").status_code == 200
    first = job(client, content, strength=0.2)
    drawn(api)
    assert erased(api, client, job=first)["kept_pictures"] == 1
    assert not is_gone(api, client, digest(content))


def test_an_erased_job_is_not_retried(api: Api, client: TestClient) -> None:
    broken = job(client, picture())
    fail(api)
    erased(api, client, job=broken)
    refusal(client.post(f"/v1/jobs/{broken}/retry"), 409, "illegal-transition")
    with pytest.raises(IntegrityError, match="final"), api.desk.sessions.begin() as session:
        session.execute(
            text("UPDATE jobs SET status = 'queued', round = round + 1, finished_at = NULL")
        )


def test_a_store_that_is_away_makes_it_wait(api: Api, client: TestClient) -> None:
    content = picture()
    upload_of(client, content)
    asked = client.post("/v1/erasures", json={"asset": digest(content)}).headers["location"]
    folder = storage_of(api).root
    away = replace(api.desk, storage=LocalStorage(folder / "none"))
    with api.desk.sessions.begin() as session:
        wish = erasures.take(session)
        assert wish is not None
        assert (wish.kind, wish.target) == (ErasureKind.ASSET, digest(content))
    with pytest.raises(Exception, match="storage directory"):
        erase(away.sessions, away.storage)
    assert client.get(asked).json()["status"] == "running"
    erase(api.desk.sessions, api.desk.storage)
    assert client.get(asked).json()["erased_pictures"] == 1


def test_rows_that_are_left_hold_their_constraints(api: Api, client: TestClient) -> None:
    job(client, picture())
    drawn(api)
    erased(api, client, all=True)
    with api.desk.sessions() as session:
        [row] = session.query(Job).all()
    assert (row.status, row.source, row.custom_id, row.webhook) == (
        *(JobStatus.SUCCEEDED, "", None, None),
    )
    assert row.output_digest
