"""What made a picture, asked by whoever holds the file."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from starlette.testclient import TestClient

from app.db import keys
from app.domain.scopes import Scope
from tests.integration.conftest import Api, speaking, work
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg, png

OUTPUT = sha256(png((64, 48), compress_level=1)).hexdigest()


def order(client: TestClient, **wanted: Any) -> str:
    job = {"style": "plain", "input": {"upload_id": upload_of(client, jpeg())}, **wanted}
    answer = client.post("/v1/jobs", json=job)
    assert answer.status_code in (200, 202), answer.text
    return str(answer.json()["id"])


def origin(client: TestClient, digest: str = OUTPUT) -> dict[str, Any]:
    answer = client.get(f"/v1/provenance/{digest}")
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def sign(api: Api) -> None:
    """As a worker writes it down."""
    with api.desk.sessions.begin() as session:
        session.execute(
            text(
                "UPDATE inferences SET software = '0.1.0+abc', manifest_label = 'urn:c2pa:1',"
                " manifest_digest = repeat('b', 64), certificate_digest = repeat('c', 64),"
                " certificate_serial = '4711', stamped_at = '2026-11-24T12:00:00Z',"
                " drawn_digest = repeat('d', 64), worker = 'cpu:0@here:1:abc',"
                " hardware = 'EPYC', image = 'sha256:1', peak_bytes = 4096"
            )
        )


def test_an_output_names_its_job_and_all_that_made_it(api: Api, client: TestClient) -> None:
    job_id = order(client, strength=0.7)
    work(api)
    sign(api)
    found = origin(client)
    assert (found["sha256"], found["kind"]) == (OUTPUT, "output")
    assert (found["width"], found["height"], found["media_type"]) == (64, 48, "image/png")
    [making] = found["made_by"]
    assert (making["job_id"], making["attempt"]) == (job_id, 1)
    assert making["drawn_at"] is not None
    assert (making["cost"]["micros"], making["cost"]["currency"]) == (274, "USD")
    provenance = making["provenance"]
    assert provenance["content_sha256"] == sha256(jpeg()).hexdigest()
    assert provenance["parameters"]["strength"] == 0.7
    assert (provenance["style"], provenance["stylizer"]["name"]) == ("plain@1", "tiny")
    assert (provenance["engine"], provenance["device"]) == ("null", "cpu")
    assert provenance["software"] == "0.1.0+abc"
    assert provenance["credentials"] == {
        "label": "urn:c2pa:1",
        "manifest_sha256": "b" * 64,
        "certificate_sha256": "c" * 64,
        "certificate_serial": "4711",
        "stamped_at": "2026-11-24T12:00:00Z",
    }
    assert provenance["drawn_sha256"] == "d" * 64
    assert making["machine"] == {
        "worker": "cpu:0@here:1:abc",
        "hardware": "EPYC",
        "image": "sha256:1",
        "peak_bytes": 4096,
    }
    assert making["submitted_by"] == {"prefix": api.key[4:12], "name": "test"}
    assert (making["review"], making["rendered_by"]) == (None, None)
    assert provenance == client.get(f"/v1/jobs/{job_id}").json()["provenance"]


def reviewer(api: Api, name: str) -> dict[str, str]:
    """A key of the tenant's that may review, as a header."""
    with api.desk.sessions.begin() as session:
        key = keys.create(session, tenant="one", name=name, scopes=[Scope.REVIEW, Scope.READ])
    return {"Authorization": f"Bearer {key}"}


def decide(client: TestClient, job_id: str, headers: dict[str, str], **verdict: str) -> None:
    answer = client.post(f"/v1/reviews/{job_id}", json=verdict, headers=headers)
    assert answer.status_code == 200, answer.text


def test_whoever_let_a_picture_out_is_named_with_the_time(api: Api, client: TestClient) -> None:
    job_id, ada = order(client, review="all"), reviewer(api, "Ada")
    work(api)
    [waits] = origin(client)["made_by"]
    assert (waits["review"]["state"], waits["review"]["key"]) == ("pending", None)
    decide(client, job_id, ada, decision="approve", note="for the shop window")
    [making] = origin(client)["made_by"]
    prefix = ada["Authorization"].split("_", 1)[1][:8]
    assert making["review"] == {
        "rule": "all",
        "state": "approved",
        "by": f"key:{prefix}",
        "at": client.get(f"/v1/jobs/{job_id}").json()["finished_at"],
        "reason_code": None,
        "note": "for the shop window",
        "key": {"prefix": prefix, "name": "Ada"},
    }
    assert making["submitted_by"]["name"] == "test"


def test_whoever_kept_a_picture_back_is_named_with_the_reason(api: Api, client: TestClient) -> None:
    """One request was let out and an equal one was not: the record has both."""
    ids = [order(client, review="all") for _ in range(2)]
    ada, ben = reviewer(api, "Ada"), reviewer(api, "Ben")
    work(api, amount=2)
    decide(client, ids[0], ada, decision="reject", reason_code="off-brand", note="too blue")
    decide(client, ids[1], ben, decision="approve")
    told = [making["review"] for making in origin(client)["made_by"]]
    assert [(one["state"], one["key"]["name"]) for one in told] == [
        ("rejected", "Ada"),
        ("approved", "Ben"),
    ]
    assert (told[0]["reason_code"], told[0]["note"]) == ("off-brand", "too blue")


def test_a_decision_on_many_names_who_made_it(api: Api, client: TestClient) -> None:
    order(client, review="all")
    work(api)
    body = {"query": {"style": "plain"}, "decision": "approve"}
    ada = reviewer(api, "Ada")
    assert client.post("/v1/reviews", json=body, headers=ada).json()["count"] == 1
    [making] = origin(client)["made_by"]
    assert (making["review"]["state"], making["review"]["key"]["name"]) == ("approved", "Ada")


def test_a_picture_that_nobody_had_to_look_at_says_so(api: Api, client: TestClient) -> None:
    order(client, review="on-warning")
    work(api)
    [making] = origin(client)["made_by"]
    assert (making["review"]["state"], making["review"]["at"]) == ("skipped", None)


def test_what_was_there_already_tells_what_drew_it(api: Api) -> None:
    """The bytes are those of the job that drew them, and so are machine and signature."""
    remembers = api.desk.settings.model_copy(update={"cache": True})
    api = replace(api, desk=replace(api.desk, settings=remembers))
    with speaking(api) as client:
        first = order(client)
        work(api)
        sign(api)
        again = order(client, metadata={"asked": "again"})
        drew, found = origin(client)["made_by"]
        provenance = client.get(f"/v1/jobs/{again}").json()["provenance"]
    assert (drew["job_id"], drew["rendered_by"]) == (first, None)
    assert (found["job_id"], found["rendered_by"]) == (again, first)
    assert found["machine"] == drew["machine"]
    assert found["drawn_at"] == drew["drawn_at"]
    assert found["provenance"] == drew["provenance"] == provenance
    assert provenance["credentials"]["label"] == "urn:c2pa:1"
    assert (drew["cost"]["micros"], found["cost"]["micros"]) == (274, 0)


def test_the_licence_is_told_as_it_is_now(api: Api, client: TestClient) -> None:
    order(client)
    work(api)
    [before] = origin(client)["made_by"][0]["styles"]
    assert (before["style"], before["share"], before["title"]) == ("plain@1", 1.0, "Plain")
    assert (before["status"], before["withdrawn_at"]) == ("active", None)
    with api.desk.sessions.begin() as session:
        session.execute(
            text(
                "UPDATE style_versions SET status = 'suspended', suspended_at = now(),"
                " withdrawn_at = now()"
            )
        )
    [after] = origin(client)["made_by"][0]["styles"]
    assert after["status"] == "suspended"
    assert after["withdrawn_at"] is not None


def test_who_else_has_a_licence_is_not_told(api: Api, client: TestClient) -> None:
    licence = '{"licence": {"spdx": "CC0-1.0", "tenants": ["one", "other"]}, "quality": {}}'
    with api.desk.sessions.begin() as session:
        # What is offered never changes: a new version of it, as if from the catalog.
        session.execute(
            text(
                "INSERT INTO style_versions (id, slug, version, stylizer_digest, status, embedding,"
                " card) SELECT gen_random_uuid(), slug, 2, stylizer_digest, status, embedding,"
                " CAST(:card AS jsonb) FROM style_versions"
            ),
            {"card": licence},
        )
    order(client)
    work(api)
    [style] = origin(client)["made_by"][0]["styles"]
    assert (style["style"], style["card"]) == ("plain@2", {"licence": {"spdx": "CC0-1.0"}})


def test_an_unsigned_output_says_so(api: Api, client: TestClient) -> None:
    order(client)
    work(api)
    assert origin(client)["made_by"][0]["provenance"]["credentials"] is None


def test_several_jobs_may_share_an_output(api: Api, client: TestClient) -> None:
    ids = [order(client, metadata={"place": place}) for place in range(3)]
    work(api, amount=3)
    assert [making["job_id"] for making in origin(client)["made_by"]] == ids


def test_nothing_here_made_what_came_from_outside(api: Api, client: TestClient) -> None:
    order(client)
    found = origin(client, sha256(jpeg()).hexdigest())
    assert (found["kind"], found["made_by"]) == ("content", [])


def test_an_output_of_anothers_looks_like_nobodys(api: Api, client: TestClient) -> None:
    order(client)
    work(api)
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    theirs = client.get(f"/v1/provenance/{OUTPUT}", headers=stranger)
    nobodys = client.get(f"/v1/provenance/{'0' * 64}")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["code"] == nobodys.json()["code"] == "not-found"
    assert theirs.json()["detail"] == f"There is no asset {OUTPUT}."


def test_only_a_digest_is_a_digest(client: TestClient) -> None:
    for digest in ("A" * 64, "a" * 63, "a" * 65):
        answer = client.get(f"/v1/provenance/{digest}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
