"""Styles of tenants through the door: ordered, learned, made active, and nobody else's."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select, text, update
from starlette.testclient import TestClient

from app.db import costs, intake, jobs, ledger, styles
from app.db.models import AssetKind, Job, StyleVersion
from app.domain.job import Lane
from app.settings import OptimizerSettings
from app.storage import Blob, asset_key
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.rows import new_asset
from tests.unit.pictures import jpeg

LICENCE = {"spdx": "LicenseRef-Contract", "licensor": "Jane Doe", "evidence": "page 3"}
WORDS = {"name": "harbour", "title": "The Harbour", "artist": "Jane Doe", "year": 2026}
PAINTING = jpeg((320, 256))


def order(client: TestClient, **changes: Any) -> httpx2.Response:
    picture = {"upload_id": upload_of(client, PAINTING)}
    return client.post(
        "/v1/styles", json={**WORDS, "licence": LICENCE, "picture": picture} | changes
    )


def learn(api: Api) -> UUID:
    """Claim the oldest style and end it well, with a worker's own statements."""
    sheet = new_asset(api.ground, "sheet", AssetKind.OUTPUT)
    key = asset_key(api.ground.tenant_id, sheet.digest)
    api.desk.storage.put(Blob(key, b"sheet", "image/jpeg"))
    with api.desk.sessions.begin() as session:
        [row] = jobs.claim(session, Lane.LEARN, worker="w", limit=1, pixels=1, lease=60.0)
    held = jobs.Held(row.id, row.attempt)
    with api.desk.sessions.begin() as session:
        intake.add_assets(session, [sheet])
        jobs.succeed(session, [jobs.Success(held, sheet.digest, 576_020, "{}")], by="w")
        costs.add(
            session,
            [costs.NewInference(row.id, 1, "cpu", "optimizer", "a" * 64, 1, 480_000.0, 1.0)],
        )
        version = session.get_one(StyleVersion, row.style_version_id)
        card = version.card | {"quality": {"content": 0.7, "style": 0.1}}
        numbers = b"\0" * 4
        styles.learned(session, version.id, embedding=numbers, card=card, preview=sheet.digest)
    return version.id


@pytest.fixture
def stranger(api: Api) -> Iterator[TestClient]:
    with speaking(replace(api, key=api.stranger)) as client:
        yield client


def test_a_style_is_ordered_learned_and_made_active(api: Api, client: TestClient) -> None:
    ordered = order(client)
    assert ordered.status_code == 202
    assert ordered.headers["location"] == "/v1/styles/harbour"
    style = ordered.json()
    assert (style["status"], style["pinned"], style["own"]) == ("learning", "harbour@1", True)
    assert style["card"]["licence"] == LICENCE
    assert api.tickets.lanes == [Lane.LEARN]
    job = client.get(style["job"]).json()
    assert (job["lane"], job["style"], job["status"]) == ("learn", "harbour@1", "queued")

    learn(api)
    [version] = client.get("/v1/styles/harbour").json()["versions"]
    assert version["status"] == "draft"
    assert version["card"]["quality"] == {"content": 0.7, "style": 0.1}
    assert client.get(version["preview_url"]).content == b"sheet"
    assert client.get(style["job"]).json()["cost"]["micros"] == 576_020
    job = client.post("/v1/jobs", data={"style": "harbour"}, files=file())
    refusal(job, 422, "unknown-style")

    activated = client.post("/v1/styles/harbour/activate").json()
    assert [one["status"] for one in activated["versions"]] == ["active"]
    drawn = client.post("/v1/jobs", data={"style": "harbour"}, files=file()).json()
    assert drawn["style"] == "harbour@1"


def file() -> dict[str, Any]:
    return {"content": ("a.jpg", jpeg())}


def test_a_style_is_asked_for_by_its_owner_alone(
    api: Api, client: TestClient, stranger: TestClient
) -> None:
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    for name in ("harbour", "harbour@1", f"{api.ground.tenant_id}/harbour"):
        answer = stranger.post("/v1/jobs", data={"style": name}, files=file())
        refusal(answer, 422, "unknown-style")
    refusal(stranger.get("/v1/styles/harbour"), 404, "not-found")
    refusal(stranger.post("/v1/styles/harbour/activate"), 404, "not-found")
    assert [one["name"] for one in stranger.get("/v1/styles").json()["data"]] == ["plain"]
    assert [one["name"] for one in client.get("/v1/styles").json()["data"]] == ["harbour", "plain"]


def test_two_tenants_may_call_their_styles_alike(
    api: Api, client: TestClient, stranger: TestClient
) -> None:
    for one in (client, stranger):
        assert order(one).json()["pinned"] == "harbour@1"
    with api.desk.sessions() as session:
        slugs = set(session.scalars(select(StyleVersion.slug)))
    assert len(slugs) == 3


def test_equal_names_of_two_tenants_are_different_renders(
    api: Api, client: TestClient, stranger: TestClient
) -> None:
    for one in (client, stranger):
        order(one)
    with api.desk.sessions.begin() as session:
        session.execute(update(StyleVersion).values(status="active", embedding=b"\0" * 4))
    keys = set()
    for one in (client, stranger):
        body = {"style": "harbour", "input": {"upload_id": upload_of(one, jpeg())}}
        job_id = one.post("/v1/jobs", json=body).json()["id"]
        with api.desk.sessions() as session:
            keys.add(session.get_one(Job, UUID(job_id)).render_key)
    assert len(keys) == 2


def test_a_mix_shows_own_styles_by_their_own_names(api: Api, client: TestClient) -> None:
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    job = client.post("/v1/jobs", data={"style": "harbour:3,plain:1"}, files=file()).json()
    assert job["style"] == "harbour@1:0.75,plain@1:0.25"
    assert job["parameters"]["mix"] == {"harbour@1": 0.75, "plain@1": 0.25}


def test_learning_again_makes_the_next_version_and_the_old_one_stays(
    api: Api, client: TestClient
) -> None:
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    assert order(client, title="The Harbour, again").json()["version"] == 2
    [listed] = [s for s in client.get("/v1/styles").json()["data"] if s["own"]]
    assert (listed["version"], listed["status"]) == (1, "active")
    refusal(client.post("/v1/styles/harbour/activate"), 409, "style-not-ready")
    answer = client.post("/v1/styles/harbour/activate?version=1")
    assert answer.status_code == 200
    job = client.post("/v1/jobs", data={"style": "harbour@2"}, files=file())
    assert "is not active: it is learning" in job.json()["detail"]


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_style_whose_job_ends_badly_says_so(api: Api, client: TestClient, end: str) -> None:
    job = order(client).json()["job"]
    if end == "canceled":
        assert client.post(f"{job}/cancel").status_code == 200
    else:
        with api.desk.sessions.begin() as session:
            job_id = UUID(job.rpartition("/")[2])
            jobs.refuse(session, [job_id], code="style-refused", detail="it is flat")
    [version] = client.get("/v1/styles/harbour").json()["versions"]
    assert version["status"] == end
    if end == "failed":
        assert (version["error"]["code"], version["error"]["detail"]) == (
            "style-refused",
            "it is flat",
        )


def test_everybodys_style_shows_the_preview_of_the_catalog(api: Api, tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "plain.jpg").write_bytes(b"two photographs")
    with api.desk.sessions.begin() as session:
        card = {"preview": {"file": "plain.jpg", "sha256": "a" * 64}}
        # Of a style that is offered nothing changes; this one was always so.
        session.execute(text("ALTER TABLE style_versions DISABLE TRIGGER style_version_stays"))
        session.execute(update(StyleVersion).values(card=card))
    settings = api.desk.settings.model_copy(update={"catalog": tmp_path})
    with speaking(replace(api, desk=replace(api.desk, settings=settings))) as client:
        [style] = client.get("/v1/styles").json()["data"]
        shown = client.get(style["preview_url"])
        assert (shown.content, shown.headers["content-type"]) == (b"two photographs", "image/jpeg")
        refusal(client.get("/v1/styles/nobody/preview"), 404, "not-found")
        (tmp_path / "styles" / "plain.jpg").unlink()
        refusal(client.get(style["preview_url"]), 404, "not-found")


def test_a_style_without_a_preview_has_no_address_for_one(client: TestClient) -> None:
    assert client.get("/v1/styles").json()["data"][0]["preview_url"] is None
    refusal(client.get("/v1/styles/plain/preview"), 404, "not-found")


def test_what_learning_may_cost_is_reserved_and_given_back(api: Api, client: TestClient) -> None:
    def balance() -> int:
        with api.desk.sessions() as session:
            return ledger.balance(session, api.ground.tenant_id)

    job = order(client, minutes=2).json()["job"]
    assert balance() == 20 + 120 * 1_200
    client.post(f"{job}/cancel")
    assert balance() == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "plain"}, (409, "conflict")),
        ({"name": "Great Wave"}, (422, "invalid-request")),
        ({"name": "a/b"}, (422, "invalid-request")),
        ({"name": "a" * 64}, (422, "invalid-request")),
        ({"licence": None}, (422, "invalid-request")),
        ({"licence": LICENCE | {"spdx": "MIT or whatever"}}, (422, "invalid-request")),
        ({"licence": LICENCE | {"evidence": ""}}, (422, "invalid-request")),
        ({"minutes": 0}, (422, "invalid-request")),
        ({"minutes": 61}, (422, "invalid-request")),
        ({"year": 99999}, (422, "invalid-request")),
        ({"title": "\x00"}, (422, "invalid-request")),
        ({"picture": {"upload_id": str(UUID(int=7))}}, (422, "unknown-upload")),
        ({"webhook": {"url": "http://127.0.0.1/"}}, (422, "invalid-request")),
    ],
)
def test_an_order_with_anything_odd_leaves_nothing(
    api: Api, client: TestClient, change: dict[str, Any], code: tuple[int, str]
) -> None:
    upload_of(client, PAINTING)
    before = {name: n for name, n in api.stored().items() if name != "uploads"}
    refusal(order(client, **change), *code)
    after = {name: n for name, n in api.stored().items() if name != "uploads"}
    assert after == before


def test_a_picture_with_few_pixels_teaches_nothing(client: TestClient) -> None:
    upload_id = upload_of(client, jpeg((300, 255)))
    answer = order(client, picture={"upload_id": upload_id})
    refusal(answer, 422, "invalid-image")
    assert "256 pixels" in answer.json()["detail"]


def test_without_an_optimizer_worker_nothing_slow_is_accepted(api: Api) -> None:
    settings = api.desk.settings.model_copy(update={"optimizer": OptimizerSettings()})
    with speaking(replace(api, desk=replace(api.desk, settings=settings))) as client:
        refusal(order(client), 422, "not-offered")
        job = client.post("/v1/jobs", data={"style": "plain", "print": "true"}, files=file())
        refusal(job, 422, "not-offered")


def test_a_print_needs_the_picture_of_its_style(api: Api, client: TestClient) -> None:
    job = client.post("/v1/jobs", data={"style": "plain", "print": "true"}, files=file())
    refusal(job, 422, "no-style-picture")
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    mixed = {"style": "harbour:1,plain:1", "print": "true"}
    refusal(client.post("/v1/jobs", data=mixed, files=file()), 422, "no-style-picture")


def test_a_print_waits_in_its_own_lane_and_reserves_what_it_takes(
    api: Api, client: TestClient
) -> None:
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    api.tickets.lanes.clear()
    body = {"style": "harbour", "input": {"upload_id": upload_of(client, jpeg())}}
    plain, dear = (
        client.post("/v1/jobs", json=body | {"quality": quality}).json()
        for quality in ("standard", "print")
    )
    assert (plain["lane"], dear["lane"]) == ("interactive", "print")
    assert api.tickets.lanes == ["interactive", "print"]
    assert dear["parameters"]["quality"] == "print"
    assert "quality" not in plain["parameters"]
    form = {"style": "harbour", "print": "true", "quality": "80"}
    flat = client.post("/v1/jobs", data=form, files=file()).json()
    assert (flat["lane"], flat["parameters"]["output"]["quality"]) == ("print", 80)


def test_a_print_has_a_limit_of_its_own(api: Api, client: TestClient) -> None:
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    large = {"content": ("a.jpg", jpeg((2600, 1600)))}
    answer = client.post("/v1/jobs", data={"style": "harbour", "print": "true"}, files=large)
    refusal(answer, 422, "image-too-large")
    assert "limit of a print is 4,000,000" in answer.json()["detail"]


def test_a_form_that_prints_maybe_is_pointed_at(client: TestClient) -> None:
    answer = client.post("/v1/jobs", data={"style": "plain", "print": "maybe"}, files=file())
    refusal(answer, 422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/print"


def test_a_print_behind_an_address_is_printed_once_it_is_here(api: Api, client: TestClient) -> None:
    order(client)
    learn(api)
    client.post("/v1/styles/harbour/activate")
    body = {"style": "harbour", "quality": "print", "input": {"url": "https://shop.test/a.jpg"}}
    job_id = UUID(client.post("/v1/jobs", json=body).json()["id"])
    asset = new_asset(api.ground, "fetched")
    with api.desk.sessions.begin() as session:
        [row] = jobs.claim(session, Lane.FETCH, worker="w", limit=1, pixels=1, lease=60.0)
        intake.add_assets(session, [asset])
        held = jobs.Held(row.id, row.attempt)
        jobs.fetched(session, held, content_digest=asset.digest, pixels=4096, key="b" * 64)
    with api.desk.sessions() as session:
        assert session.get_one(Job, job_id).lane is Lane.PRINT


def test_a_job_that_moves_on_has_another_etag(api: Api, client: TestClient) -> None:
    client.post("/v1/jobs", data={"style": "plain"}, files=file())
    with api.desk.sessions.begin() as session:
        [row] = jobs.claim(session, Lane.INTERACTIVE, worker="w", limit=1, pixels=1, lease=60.0)
    held = jobs.Held(row.id, row.attempt)
    tags = []
    for stage in ("print 3%", "print 3%", "print 4%"):
        with api.desk.sessions.begin() as session:
            jobs.renew(session, [held], [stage], lease=60.0)
        tags.append(client.get(f"/v1/jobs/{row.id}").headers["etag"])
    assert tags[0] == tags[1] != tags[2]
