"""Several files of one drawing, from the order to everything that can be asked of them later."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select, text
from starlette.testclient import TestClient

from app.credentials import State
from app.db import Sessions, jobs, rate_cards
from app.db.models import Inference, Job, LedgerEntry, RenditionRow
from app.domain.events import MAX_BODY
from app.domain.job import JobStatus, Lane
from app.erasing import erase, retain
from app.storage import LocalStorage, asset_key
from tests.easels import new_easel
from tests.integration.conftest import Api, new_api, speaking
from tests.integration.test_api_licences import lapse, offer
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.integration.test_erasing import age
from tests.integration.test_pipeline import announced, decoders, studio
from tests.licensed import in_days
from tests.notaries import credentials
from tests.unit import pictures
from workers.pipeline import stylize
from workers.studio import Studio

__all__ = ["announced", "decoders", "studio"]  # fixtures of the pipeline's tests

FILES: list[dict[str, Any]] = [
    {"name": "square", "format": "webp", "width": 64, "height": 64, "fit": "cover"},
    {"name": "story", "format": "avif", "width": 60, "height": 100, "fit": "cover"},
    {"name": "banner", "width": 160, "height": 40, "fit": "pad", "suffix": "_wide"},
    {"name": "clear", "format": "png", "width": 50},
]
SIZES = {"square": (64, 64), "story": (60, 100), "banner": (160, 40), "clear": (50, 40)}
KINDS = {"square": "webp", "story": "avif", "banner": "jpeg", "clear": "png"}


@pytest.fixture
def api(sessions: Sessions, redis_url: str, tmp_path: Path) -> Api:
    """One that remembers what was drawn, with a preset."""
    api = new_api(sessions, redis_url, tmp_path / "assets")
    settings = api.desk.settings.model_copy(update={"cache": True})
    return replace(api, desk=replace(api.desk, settings=settings))


@pytest.fixture
def client(api: Api) -> Iterator[TestClient]:
    with speaking(api) as client:
        brand = {"name": "brand", "style": "plain", "renditions": FILES}
        assert client.post("/v1/presets", json=brand).status_code == 201
        yield client


@pytest.fixture
def workshop(api: Api, studio: Studio) -> Studio:
    return replace(studio, storage=api.desk.storage)


def order(client: TestClient, content: bytes | None = None, **its: Any) -> str:
    """A job under the preset: its path."""
    given = {"upload_id": upload_of(client, content or pictures.jpeg((100, 80)))}
    answer = client.post("/v1/jobs", json={"preset": "brand", "input": given} | its)
    assert answer.status_code in (200, 202), answer.text
    path: str = answer.json()["urls"]["get"]
    return path


def drawn(client: TestClient, workshop: Studio, **its: Any) -> Any:
    """A job that has been drawn, as the API shows it."""
    path = order(client, **its)
    assert stylize(workshop, Lane.INTERACTIVE)["claimed"] == 1
    return client.get(path).json()


def campaign(client: TestClient, names: list[str], **its: Any) -> Any:
    items = [
        {
            "custom_id": name,
            "input": {"upload_id": upload_of(client, pictures.jpeg((100 + number, 80)))},
        }
        for number, name in enumerate(names)
    ]
    body = {"name": "spring", "preset": "brand", "items": items} | its
    answer = client.post("/v1/campaigns", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def by_name(job: Any) -> dict[str, Any]:
    return {one["name"]: one for one in job["renditions"]}


def test_one_drawing_becomes_files_in_their_order_each_signed(
    client: TestClient, workshop: Studio
) -> None:
    job = drawn(client, workshop)
    assert job["status"] == "succeeded"
    assert [one["name"] for one in job["renditions"]] == list(SIZES)
    assert [one["suffix"] for one in job["renditions"]] == ["-square", "-story", "_wide", "-clear"]
    for one in job["renditions"]:
        content = client.get(one["url"], headers={"Authorization": ""}).content
        assert (sha256(content).hexdigest(), len(content)) == (one["sha256"], one["bytes"])
        assert one["media_type"] == f"image/{KINDS[one['name']]}"
        assert (one["width"], one["height"]) == SIZES[one["name"]]
        with Image.open(BytesIO(content)) as picture:
            assert picture.size == SIZES[one["name"]]
            assert not picture.getexif()
            assert "xmp" in picture.info or "XML:com.adobe.xmp" in picture.info
        found = credentials(content, one["media_type"])
        assert found.state is State.TRUSTED
        assert found.render is not None
        parameters = found.render["parameters"]
        assert parameters["preset"] == "brand@1"
        assert [part["name"] for part in parameters["renditions"]] == [one["name"]]
    assert {"renditions", "sign", "encode"} <= job["timings"].keys()


def test_the_output_itself_says_its_preset_and_no_other_file(
    client: TestClient, workshop: Studio
) -> None:
    output = drawn(client, workshop)["output"]
    render = credentials(client.get(output["url"]).content).render
    assert render is not None
    assert render["parameters"]["preset"] == "brand@1"
    assert "renditions" not in render["parameters"]


def test_they_are_cut_from_the_drawing_and_not_from_its_file(
    client: TestClient, workshop: Studio
) -> None:
    """A coarse output leaves no mark on them."""
    content = pictures.png((100, 80))
    job = drawn(client, workshop, content=content, output={"format": "jpeg", "quality": 1})
    shown = Image.open(BytesIO(client.get(by_name(job)["clear"]["url"]).content))
    original = Image.open(BytesIO(content)).resize((50, 40), Image.Resampling.LANCZOS)
    gap = np.abs(np.asarray(shown, int) - np.asarray(original, int))
    assert gap.max() <= 3


def test_it_is_drawn_once_and_charged_for_all_its_files(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    rate_cards.agree(api.desk.sessions, workshop.rate_card)  # as every worker does at its start
    job = drawn(client, workshop)
    parts = job["cost"]["parts"]
    sizes = job["output"]["bytes"] + sum(one["bytes"] for one in job["renditions"])
    assert parts["signing"]["quantity"] == 5
    assert parts["storage"]["quantity"] == pytest.approx(sizes / 1e9, abs=1e-9)
    with api.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Inference)) == 1
        settled = session.scalars(
            select(LedgerEntry).where(LedgerEntry.job_id == UUID(job["id"]))
        ).all()
    assert {entry.signatures for entry in settled if entry.kind.value == "settle"} == {5}


def test_what_pictures_take_is_learned_without_what_is_made_of_them(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    """Otherwise whoever uses no preset would be foreseen to pay for those who do."""
    drawn(client, workshop)
    workshop.meter.report(workshop.sessions, "w", "cpu:0", "null")
    with api.desk.sessions() as session:
        known = session.execute(text("SELECT pictures, signatures FROM paces")).all()
    assert [tuple(row) for row in known] == [(1.0, 1.0)]


def test_a_large_picture_has_them_too(client: TestClient, workshop: Studio) -> None:
    whole = drawn(client, workshop, output={"format": "png"})
    easel = new_easel(workshop.easel.submit, side=64, whole_pixels=64 * 64)
    again = client.post(
        "/v1/presets", json={"name": "other", "style": "plain", "renditions": FILES}
    )
    assert again.status_code == 201
    tiled = drawn(client, replace(workshop, easel=easel), preset="other", output={"format": "png"})
    assert tiled["status"] == "succeeded"
    assert "draw" in tiled["timings"], "in tiles"
    for name, one in by_name(tiled).items():
        pair = [client.get(by_name(job)[name]["url"]).content for job in (whole, tiled)]
        first, second = (np.asarray(Image.open(BytesIO(content)), int) for content in pair)
        assert first.shape == second.shape, name
        assert np.abs(first - second).mean() <= 1, one


def test_a_hit_comes_with_the_files_of_whoever_drew_it(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    first = drawn(client, workshop)
    again = client.get(order(client)).json()
    assert (again["status"], again["rendered_by"]) == ("succeeded", first["id"])
    assert again["cost"]["micros"] == 0
    told = [[(one["name"], one["sha256"]) for one in job["renditions"]] for job in (first, again)]
    assert told[0] == told[1]
    assert len(told[0]) == 4


def test_a_hit_that_is_found_when_it_is_claimed_has_them_as_well(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    """Both were queued before one of them was drawn."""
    names = ["1", "2"]
    given = {"upload_id": upload_of(client, pictures.jpeg((100, 80)))}
    items = [{"custom_id": name, "input": given} for name in names]
    told = campaign(client, names, items=items)
    while stylize(workshop, Lane.CAMPAIGN):
        pass
    one, other = client.get(told["urls"]["items"]).json()["data"]
    assert [job["rendered_by"] is None for job in (one, other)].count(True) == 1
    assert [part["sha256"] for part in one["renditions"]] == [
        part["sha256"] for part in other["renditions"]
    ]


def test_where_a_file_is_gone_the_picture_is_drawn_again(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    first = drawn(client, workshop)
    with api.desk.sessions.begin() as session:
        gone = {"digest": by_name(first)["story"]["sha256"]}
        session.execute(text("UPDATE assets SET erased_at = now() WHERE digest = :digest"), gone)
    assert "story" not in by_name(client.get(first["urls"]["get"]).json())
    again = client.get(order(client)).json()
    assert (again["status"], again["rendered_by"]) == ("queued", None)


def test_provenance_finds_each_file_by_its_digest(client: TestClient, workshop: Studio) -> None:
    job = drawn(client, workshop)
    for one in job["renditions"]:
        content = client.get(one["url"]).content
        origin = client.get(f"/v1/provenance/{one['sha256']}").json()
        assert (origin["kind"], origin["media_type"]) == ("output", one["media_type"])
        [making] = origin["made_by"]
        its = making["provenance"]
        assert making["job_id"] == job["id"]
        assert (its["output_sha256"], its["rendition"]) == (one["sha256"], one["name"])
        assert its["credentials"]["label"] == credentials(content, one["media_type"]).label
        assert its["parameters"]["preset"] == "brand@1"
    origin = client.get(f"/v1/provenance/{job['output']['asset_id']}").json()
    assert origin["made_by"][0]["provenance"]["rendition"] is None


def test_another_tenant_finds_none_of_them(api: Api, client: TestClient, workshop: Studio) -> None:
    job = drawn(client, workshop)
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    for one in job["renditions"]:
        for path in (f"/v1/provenance/{one['sha256']}", f"/v1/assets/{one['sha256']}"):
            refusal(client.get(path, headers=stranger), 404, "not-found")


def test_nobody_gets_one_before_a_reviewer_said_yes(client: TestClient, workshop: Studio) -> None:
    job = drawn(client, workshop, review="all")
    assert (job["status"], job["renditions"]) == ("in_review", [])
    [waiting] = client.get("/v1/reviews").json()["data"]
    shown = by_name(waiting["output"])
    assert list(shown) == list(SIZES)
    for name, one in shown.items():
        seen = client.get(one["url"])
        assert Image.open(BytesIO(seen.content)).size == SIZES[name]
        refusal(client.get(f"/v1/assets/{one['sha256']}"), 409, "awaiting-review")
    refusal(client.get(f"/v1/reviews/{job['id']}/output?rendition=nobody"), 404, "not-found")
    refusal(client.get(f"/v1/reviews/{job['id']}/output?rendition=A"), 422, "invalid-request")
    approved = client.post(f"/v1/reviews/{job['id']}", json={"decision": "approve"}).json()
    for one in approved["renditions"]:
        assert client.get(one["url"]).status_code == 200


def test_what_a_reviewer_rejects_is_delivered_to_nobody(
    client: TestClient, workshop: Studio
) -> None:
    job = drawn(client, workshop, review="all")
    [waiting] = client.get("/v1/reviews").json()["data"]
    no = {"decision": "reject", "reason_code": "off-brand"}
    assert client.post(f"/v1/reviews/{job['id']}", json=no).json()["renditions"] == []
    for one in waiting["output"]["renditions"]:
        refusal(client.get(f"/v1/assets/{one['sha256']}"), 409, "output-rejected")


@pytest.mark.parametrize("limits", [{}, {"valid_until": in_days(-1)}], ids=["suspended", "ended"])
def test_what_a_licence_keeps_back_it_keeps_back_in_every_file(
    api: Api, client: TestClient, workshop: Studio, limits: dict[str, Any]
) -> None:
    offer(api)
    told = campaign(client, ["cup"], style="brand")
    stylize(workshop, Lane.CAMPAIGN)
    [job] = client.get(told["urls"]["items"]).json()["data"]
    lapse(api, limits)
    [kept] = client.get(told["urls"]["items"]).json()["data"]
    assert [one["url"] for one in kept["renditions"]] == [None] * 4
    for one in job["renditions"]:
        assert client.get(f"/v1/assets/{one['sha256']}").status_code == 451
        assert client.get(one["url"], headers={"Authorization": ""}).status_code == 451
    archive = ZipFile(BytesIO(client.get(f"{told['urls']['get']}/archive").content))
    assert archive.namelist() == ["manifest.csv", "SHA256SUMS"]


def test_a_withdrawal_tells_of_every_file(api: Api, client: TestClient, workshop: Studio) -> None:
    job = drawn(client, workshop)
    [affected] = client.get("/v1/styles/plain/versions/1/assets").json()["data"]
    assert affected["asset_id"] == job["output"]["asset_id"]
    assert sorted(affected["renditions"]) == sorted(one["sha256"] for one in job["renditions"])
    plain = drawn(client, workshop, content=pictures.jpeg((101, 80)), preset=None, style="plain")
    both = client.get("/v1/styles/plain/versions/1/assets").json()["data"]
    assert [len(one["renditions"]) for one in both] == [4, 0]
    assert plain["renditions"] == []


def test_a_hand_over_has_every_file_under_a_name_of_its_own(
    client: TestClient, workshop: Studio
) -> None:
    told = campaign(client, ["cup.jpg", "../vase"])
    stylize(workshop, Lane.CAMPAIGN)
    archive = ZipFile(BytesIO(client.get(f"{told['urls']['get']}/archive").content))
    names = [name for name in archive.namelist() if name not in ("manifest.csv", "SHA256SUMS")]
    endings = [".jpg", "-square.webp", "-story.avif", "_wide.jpg", "-clear.png"]
    assert names == [f"{stem}{end}" for stem in ("cup.jpg", "_vase") for end in endings]
    sums = [line.split("  ") for line in archive.read("SHA256SUMS").decode().splitlines()]
    assert [sha256(archive.read(name)).hexdigest() for _, name in sums] == [one for one, _ in sums]
    assert [name for _, name in sums] == names
    rows = list(csv.DictReader(StringIO(archive.read("manifest.csv").decode())))
    assert [row["file"] for row in rows] == names
    assert [row["rendition"] for row in rows[:5]] == ["", "square", "story", "banner", "clear"]
    assert {row["custom_id"] for row in rows[:5]} == {"cup.jpg"}
    costs = [int(row["cost_micros"]) for row in rows if row["cost_micros"]]
    assert sum(costs) == client.get(told["urls"]["get"]).json()["cost"]["actual_micros"]
    lines = client.get(f"{told['urls']['get']}/manifest?format=jsonl").text.splitlines()
    assert [json.loads(line)["file"] for line in lines] == names


def test_names_that_would_be_equal_are_told_apart(client: TestClient, workshop: Studio) -> None:
    told = campaign(client, ["cup", "cup-square"])
    stylize(workshop, Lane.CAMPAIGN)
    archive = ZipFile(BytesIO(client.get(f"{told['urls']['get']}/archive").content))
    assert len({name.lower() for name in archive.namelist()}) == 2 * 5 + 2


def stored(api: Api, digest: str) -> bool:
    assert isinstance(api.desk.storage, LocalStorage)
    return (api.desk.storage.root / asset_key(api.ground.tenant_id, digest)).is_file()


def test_an_erased_job_leaves_none_of_its_files(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    job = drawn(client, workshop)
    digests = [job["output"]["asset_id"], *(one["sha256"] for one in job["renditions"])]
    asked = client.post("/v1/erasures", json={"job": job["id"]})
    assert erase(api.desk.sessions, api.desk.storage, seconds=30) > 0
    receipt = client.get(asked.headers["location"]).json()
    assert (receipt["erased_pictures"], receipt["kept_pictures"]) == (6, 0)
    assert set(digests) < set(client.get(receipt["urls"]["digests"]).text.split())
    assert not any(stored(api, one) for one in digests)
    assert client.get(job["urls"]["get"]).json()["renditions"] == []
    for one in job["renditions"]:
        refusal(client.get(f"/v1/assets/{one['sha256']}"), 410, "erased")


def test_what_a_hit_needs_stays_when_who_drew_it_is_erased(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    first = drawn(client, workshop)
    hit = client.get(order(client)).json()
    client.post("/v1/erasures", json={"job": first["id"]})
    assert erase(api.desk.sessions, api.desk.storage, seconds=30) > 0
    left = client.get(hit["urls"]["get"]).json()
    assert [one["sha256"] for one in left["renditions"]] == [
        one["sha256"] for one in first["renditions"]
    ]
    for one in left["renditions"]:
        assert client.get(one["url"]).status_code == 200


def test_who_erases_one_file_erases_what_came_of_the_same_drawing(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    job = drawn(client, workshop)
    other = drawn(client, workshop, content=pictures.jpeg((101, 80)))
    client.post("/v1/erasures", json={"asset": by_name(job)["banner"]["sha256"]})
    assert erase(api.desk.sessions, api.desk.storage, seconds=30) > 0
    assert client.get(job["urls"]["get"]).json()["renditions"] == []
    assert not any(stored(api, one["sha256"]) for one in job["renditions"])
    assert all(stored(api, one["sha256"]) for one in other["renditions"])


def test_files_go_when_their_days_are_over(api: Api, client: TestClient, workshop: Studio) -> None:
    old = drawn(client, workshop)
    age(api.desk.sessions, 31)
    young = drawn(client, workshop, content=pictures.jpeg((101, 80)))
    client.put("/v1/tenant/retention", json={"outputs": 30})
    assert retain(api.desk.sessions, api.desk.storage, seconds=30) > 0
    assert not any(stored(api, one["sha256"]) for one in old["renditions"])
    assert all(stored(api, one["sha256"]) for one in young["renditions"])


def test_rows_of_jobs_take_those_of_their_files_with_them(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    drawn(client, workshop)
    age(api.desk.sessions, 31)
    client.put("/v1/tenant/retention", json={"jobs": 30, "outputs": 30, "contents": 30})
    assert retain(api.desk.sessions, api.desk.storage, seconds=30) > 0
    with api.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(RenditionRow)) == 0
    assert retain(api.desk.sessions, api.desk.storage, seconds=30) == 0


def test_a_job_that_was_canceled_meanwhile_leaves_no_file(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    path = order(client)

    def encode(*given: Any) -> bytes:
        with api.desk.sessions.begin() as session:
            if session.scalars(select(Job.status)).one() is JobStatus.RUNNING:
                jobs.cancel(session, api.ground.tenant_id, UUID(path.rpartition("/")[2]))
        return workshop.encode(*given)

    stylize(replace(workshop, encode=encode), Lane.INTERACTIVE)
    job = client.get(path).json()
    assert (job["status"], job["renditions"]) == ("canceled", [])
    with api.desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(RenditionRow)) == 0
        left = session.execute(
            text("SELECT count(*) FROM assets WHERE kind = 'output' AND erased_at IS NULL")
        ).scalar_one()
    assert left == 0


def test_a_webhook_of_a_job_with_ten_files_stays_small(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    ten = [{"name": f"file-{number}-{'x' * 20}"[:32], "width": 32} for number in range(10)]
    body = {"name": "brand", "style": "plain", "renditions": ten, "description": "y" * 1_000}
    for number, one in enumerate(ten):
        one["suffix"] = f"-{number}"
    assert client.post("/v1/presets", json=body).status_code == 201
    hook = {"url": "https://shop.example/hook"}
    drawn(client, workshop, webhook=hook, metadata={"x": "z" * 4_000})
    with api.desk.sessions() as session:
        sizes = session.scalars(text("SELECT length(data::text) FROM events")).all()
    assert sizes
    assert max(sizes) <= MAX_BODY


def test_presets_stay_when_all_else_is_erased(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    """They hold nobody's picture, and what comes next is to look as before."""
    drawn(client, workshop)
    client.post("/v1/erasures", json={"all": True})
    while erase(api.desk.sessions, api.desk.storage, seconds=30):
        pass
    assert client.get("/v1/presets/brand").json()["status"] == "active"
