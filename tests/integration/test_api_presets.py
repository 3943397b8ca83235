"""Presets through HTTP: versions that stay, names that are pinned, what is refused and how."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from starlette.testclient import TestClient

from app.db.models import Job
from app.domain.job import Lane
from tests.integration.conftest import Api, work
from tests.integration.test_api_jobs import hand_in
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import blank, jpeg

SQUARE = {"name": "square", "format": "webp", "width": 40, "height": 40, "fit": "cover"}
SMALL = {"name": "small", "format": "png", "width": 32}
BRAND: dict[str, Any] = {"name": "brand", "style": "plain", "renditions": [SQUARE, SMALL]}


def made(client: TestClient, **its: Any) -> Any:
    answer = client.post("/v1/presets", json=BRAND | its)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def ordered(client: TestClient, **its: Any) -> Any:
    body = {"preset": "brand", "input": {"upload_id": upload_of(client, jpeg())}, **its}
    return client.post("/v1/jobs", json=body)


def test_a_name_is_given_versions_and_each_stays(api: Api, client: TestClient) -> None:
    first = client.post("/v1/presets", json=BRAND)
    assert first.status_code == 201
    assert first.json()["pinned"] == "brand@1"
    second = made(client, strength=0.5)
    assert (second["pinned"], second["template"]["strength"]) == ("brand@2", 0.5)
    assert client.get(first.headers["location"]).json() == first.json()
    assert client.get("/v1/presets/brand").json() == second
    listed = client.get("/v1/presets").json()["data"]
    assert [one["pinned"] for one in listed] == ["brand@2"]
    versions = client.get(second["urls"]["versions"]).json()["data"]
    assert [one["pinned"] for one in versions] == ["brand@2", "brand@1"]
    told = client.get("/v1/audit").json()["data"]
    assert [line["target"] for line in told if line["action"] == "preset.created"] == [
        "preset:brand@2",
        "preset:brand@1",
    ]


def test_saying_the_same_again_makes_no_other_version(client: TestClient) -> None:
    first = made(client)
    again = client.post("/v1/presets", json=BRAND)
    assert (again.status_code, again.json()) == (200, first)
    client.delete("/v1/presets/brand")
    assert made(client)["pinned"] == "brand@2"


def test_nobody_changes_a_version_not_even_in_the_database(api: Api, client: TestClient) -> None:
    made(client)
    for statement in (
        "UPDATE presets SET template = template || '{\"strength\": 0}'",
        "UPDATE presets SET version = 2",
        "DELETE FROM presets",
    ):
        with pytest.raises(IntegrityError), api.desk.sessions.begin() as session:
            session.execute(text(statement))
    client.delete("/v1/presets/brand")
    with pytest.raises(IntegrityError), api.desk.sessions.begin() as session:
        session.execute(text("UPDATE presets SET retired_at = NULL"))


def test_the_version_is_pinned_when_the_work_is_accepted(client: TestClient) -> None:
    made(client)
    before = ordered(client).json()
    made(client, renditions=[SMALL])
    after = ordered(client).json()
    assert [one["parameters"]["preset"] for one in (before, after)] == ["brand@1", "brand@2"]
    assert [len(one["parameters"]["renditions"]) for one in (before, after)] == [2, 1]
    assert ordered(client, preset="brand@1").json()["parameters"] == before["parameters"]


def test_a_preset_alone_says_all_of_the_look(client: TestClient) -> None:
    made(client, strength=0.25, keep_colour=0.5, variation=7, output={"format": "avif"})
    job = ordered(client).json()
    parameters = job["parameters"]
    assert job["style"] == "plain@1"
    assert (parameters["strength"], parameters["keep_colour"], parameters["variation"]) == (
        *(0.25, 0.5),
        7,
    )
    assert parameters["output"]["format"] == "avif"
    fields = {"preset": "brand", "quality": "70"}
    answer = client.post("/v1/jobs", files={"content": jpeg()}, data=fields)
    form = answer.json()["parameters"]
    assert form["output"] == {"format": "avif", "quality": 70, "size": None}
    assert form["strength"] == 0.25


def test_the_version_is_part_of_the_render_key(api: Api, client: TestClient) -> None:
    made(client)
    ids = [ordered(client).json()["id"]]
    made(client, description="no other pixel")
    ids.append(ordered(client).json()["id"])
    ids.append(hand_in(client).json()["id"])
    with api.desk.sessions() as session:
        keys = {session.get_one(Job, UUID(one)).render_key for one in ids}
    assert len(keys) == 3


def test_retired_ones_take_no_new_work_and_can_still_be_read(client: TestClient) -> None:
    made(client)
    job = ordered(client).json()
    made(client, strength=0.5)
    retired = client.delete("/v1/presets/brand?version=2").json()
    assert (retired["pinned"], retired["status"]) == ("brand@2", "retired")
    assert ordered(client).json()["parameters"]["preset"] == "brand@1"
    refusal(ordered(client, preset="brand@2"), 422, "preset-retired")
    assert client.delete("/v1/presets/brand").status_code == 200
    assert client.delete("/v1/presets/brand").json()["status"] == "retired"
    refusal(ordered(client), 422, "preset-retired")
    assert client.get("/v1/presets/brand?version=1").json()["status"] == "retired"
    assert client.get(job["urls"]["get"]).json()["status"] == "queued"
    told = client.get("/v1/audit").json()["data"]
    targets = [line["target"] for line in told if line["action"] == "preset.retired"]
    assert targets == ["preset:brand", "preset:brand@2"]


@pytest.mark.parametrize("wish", ["nobody", "brand@9", "brand@999999999"])
def test_an_unknown_preset_is_refused_and_nothing_is_kept(
    api: Api, client: TestClient, wish: str
) -> None:
    made(client)
    upload_id = upload_of(client, jpeg())
    before = api.stored()
    body = {"preset": wish, "input": {"upload_id": upload_id}}
    refusal(client.post("/v1/jobs", json=body), 422, "unknown-preset")
    item = {"custom_id": "1", "input": {"upload_id": upload_id}}
    campaign = {"name": "x", "style": "plain", "items": [item | {"preset": wish}]}
    refusal(client.post("/v1/campaigns", json=campaign), 422, "unknown-preset")
    assert api.stored() == before


@pytest.mark.parametrize("name", ["Brand", "brand 2", "a@1", "%00", "x" * 64, "..", "-brand"])
def test_what_no_preset_is_called_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/v1/presets/{name}").status_code in (404, 405)
    assert client.delete(f"/v1/presets/{name}").status_code in (404, 405)
    assert client.post("/v1/presets", json=BRAND | {"name": name}).status_code == 422


@pytest.mark.parametrize(
    ("its", "pointer"),
    [
        ({"renditions": []}, "/renditions"),
        ({"renditions": [{"name": str(number)} for number in range(11)]}, "/renditions"),
        ({"renditions": [SMALL, SMALL]}, ""),
        ({"renditions": [{"name": "a", "fit": "cover"}]}, "/renditions/0"),
        ({"renditions": [{"name": "a", "width": 20_000}]}, "/renditions/0/width"),
        ({"strength": 2}, "/strength"),
        ({"nothing": 1}, "/nothing"),
    ],
)
def test_a_preset_that_cannot_be_is_refused_with_its_place(
    client: TestClient, its: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/v1/presets", json=BRAND | its)
    problem = refusal(answer, 422, "invalid-request")
    assert pointer in [reason["pointer"] for reason in problem["errors"]]


def test_a_style_that_there_is_not_is_told_when_the_preset_is_made(client: TestClient) -> None:
    refusal(client.post("/v1/presets", json=BRAND | {"style": "nobody"}), 422, "unknown-style")


def test_without_a_style_anywhere_the_field_is_named(client: TestClient) -> None:
    made(client, style=None)
    problem = refusal(ordered(client), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == "/style"
    assert ordered(client, style="plain").status_code == 202


def test_what_would_be_enlarged_beyond_sense_is_refused_when_it_is_handed_in(
    api: Api, client: TestClient
) -> None:
    """The photograph has 64 x 48 pixels."""
    wide = {"name": "wide", "width": 129, "height": 20, "fit": "cover"}
    made(client, renditions=[wide])
    before = api.stored()
    answer = ordered(client)
    detail = refusal(answer, 422, "rendition-too-large")["detail"]
    assert "'wide'" in detail
    assert "at most 2" in detail
    assert api.stored() | {"uploads": 0, "assets": 0, "files": 0} == before | {
        "uploads": 0,
        "assets": 0,
        "files": 0,
    }
    made(client, renditions=[wide | {"width": 128}])
    assert ordered(client).status_code == 202


def test_a_picture_too_large_for_renditions_is_refused_with_a_size_that_would_do(
    client: TestClient,
) -> None:
    made(client)
    upload_id = upload_of(client, blank(6_000, 5_000))
    body = {"preset": "brand", "input": {"upload_id": upload_id}}
    detail = refusal(client.post("/v1/jobs", json=body), 422, "image-too-large")["detail"]
    assert "of a picture with renditions is 25,000,000" in detail
    answer = client.post("/v1/jobs", json=body | {"output": {"size": 4_000}})
    assert answer.status_code == 202


def test_of_a_campaign_one_picture_is_too_small_and_the_others_go_on(client: TestClient) -> None:
    made(client, renditions=[{"name": "wide", "width": 200, "height": 100, "fit": "cover"}])
    items = [
        {"custom_id": str(side), "input": {"upload_id": upload_of(client, jpeg((side, side)))}}
        for side in (64, 128)
    ]
    place = client.post("/v1/campaigns", json={"name": "x", "preset": "brand", "items": items})
    jobs = client.get(place.json()["urls"]["items"]).json()["data"]
    assert [job["status"] for job in jobs] == ["failed", "queued"]
    assert jobs[0]["error"]["code"] == "rendition-too-large"


def test_a_manifest_names_presets_line_by_line(client: TestClient) -> None:
    made(client)
    made(client, name="poster", strength=0.5, renditions=[SMALL])
    made(client, name="old")
    client.delete("/v1/presets/old")
    upload_id = upload_of(client, jpeg())
    lines = ["custom_id,upload_id,preset,strength", f"1,{upload_id},,", f"2,{upload_id},poster,"]
    lines += [f"3,{upload_id},poster@1,0.9", f"4,{upload_id},nobody,", f"5,{upload_id},old,"]
    answer = client.post(
        "/v1/campaigns",
        params={"options": '{"name": "list", "preset": "brand"}'},
        content="\n".join(lines),
        headers={"Content-Type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text
    campaign = answer.json()
    assert campaign["parameters"]["preset"] == "brand@1"
    jobs = client.get(campaign["urls"]["items"]).json()["data"]
    told = [(job["parameters"]["preset"], job["parameters"]["strength"]) for job in jobs]
    assert told == [("brand@1", 1.0), ("poster@1", 0.5), ("poster@1", 0.9)]
    errors = client.get(campaign["urls"]["manifest_errors"]).json()["data"]
    assert [(one["line"], one["code"]) for one in errors] == [
        (5, "unknown-preset"),
        (6, "preset-retired"),
    ]


def test_an_estimate_knows_what_renditions_take(client: TestClient) -> None:
    many = [
        {"name": str(number), "width": 512, "height": 512, "fit": "cover", "format": "avif"}
        for number in range(10)
    ]
    made(client, renditions=many)
    plain = client.post("/v1/estimates", json={"style": "plain", "count": 5, "megapixels": 1})
    more = client.post("/v1/estimates", json={"preset": "brand", "count": 5, "megapixels": 1})
    parts = [one.json()["price"]["parts"] for one in (plain, more)]
    assert parts[0]["device"] == parts[1]["device"]
    for part in ("cpu", "storage"):
        assert parts[1][part]["micros"] > parts[0][part]["micros"]


def test_a_preset_is_its_tenants_alone(api: Api, client: TestClient) -> None:
    made(client)
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    assert client.get("/v1/presets?name=brand", headers=stranger).json()["data"] == []
    theirs = client.post("/v1/presets", json=BRAND | {"strength": 0.1}, headers=stranger).json()
    assert theirs["pinned"] == "brand@1"
    assert ordered(client).json()["parameters"]["strength"] == 1.0


def test_pages_of_presets_are_complete(client: TestClient) -> None:
    for name in ("a", "b", "c"):
        made(client, name=name)
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(
            "/v1/presets", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
        )
        seen += [one["name"] for one in page.json()["data"]]
        cursor = page.json()["next_cursor"]
        if not cursor:
            break
    assert seen == ["c", "b", "a"]


def test_work_without_a_preset_asks_nobody_for_one(api: Api, client: TestClient) -> None:
    """Not one statement more than before there were any."""
    asked: list[str] = []
    engine = api.desk.sessions.kw["bind"]

    def told(_: Any, __: Any, statement: str, *more: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", told)
    try:
        hand_in(client)
        work(api)
        upload_id = upload_of(client, jpeg())
        items = [{"custom_id": str(n), "input": {"upload_id": upload_id}} for n in range(3)]
        body = {"name": "x", "style": "plain", "items": items}
        client.post("/v1/campaigns", json=body)
        work(api, lane=Lane.CAMPAIGN, amount=3)
    finally:
        event.remove(engine, "before_cursor_execute", told)
    assert len(asked) > 10
    assert not [one for one in asked if "presets" in one or "INTO renditions" in one]
