"""What a campaign leaves its owner with: pictures, a manifest, a report."""

import csv
import json
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import httpx2
import pytest
from PIL import Image
from sqlalchemy import text as sql
from sqlalchemy import update
from starlette.testclient import TestClient

from app.db import jobs
from app.db.models import Job, StyleVersion
from app.domain.job import Lane
from app.errors import InvalidImage
from app.handover.lines import LONGEST, stem
from app.storage import LocalStorage, asset_key
from app.thumbnails import thumbnails
from tests.integration.conftest import Api, serving, work
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import cmyk, held, jpeg, photo, png, saved, truncated

NAMES = ["cup.jpg", "../../etc/passwd", "Löffel/№ 1", "CUP.jpg", "=HYPERLINK(1)", "nul", "-rf"]


def campaign_of(client: TestClient, names: list[str], name: str = "spring") -> str:
    """A campaign with a picture under each name: its path."""
    upload_id = upload_of(client, jpeg())
    items = [{"custom_id": name, "input": {"upload_id": upload_id}} for name in names]
    body = {"name": name, "style": "plain", "items": items}
    answer = client.post("/v1/campaigns", json=body)
    assert answer.status_code == 202, answer.text
    place: str = answer.json()["urls"]["get"]
    return place


def fail(api: Api, error: InvalidImage) -> None:
    """Claim one job and end it badly."""
    with api.desk.sessions.begin() as session:
        [row] = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=1, pixels=2**40, lease=60.0)
        jobs.break_off(session, jobs.Held(row.id, row.attempt), error, failures=0, by="w")


def unpacked(content: bytes) -> ZipFile:
    file = ZipFile(BytesIO(content))
    assert file.testzip() is None
    return file


def test_the_archive_holds_every_finished_picture_as_it_was_signed(
    api: Api, client: TestClient
) -> None:
    place = campaign_of(client, ["1", "2", "3"])
    work(api, amount=2, lane=Lane.CAMPAIGN)
    answer = client.get(f"{place}/archive")
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="spring.zip"' in answer.headers["content-disposition"]
    file = unpacked(answer.content)
    assert file.namelist() == ["1.png", "2.png", "manifest.csv", "SHA256SUMS"]
    assert file.getinfo("1.png").compress_type == ZIP_STORED
    sums = [line.split("  ") for line in file.read("SHA256SUMS").decode().splitlines()]
    assert [(sha256(file.read(name)).hexdigest(), name) for _, name in sums] == [
        (digest, name) for digest, name in sums
    ]
    rows = list(csv.DictReader(StringIO(file.read("manifest.csv").decode())))
    assert [(row["custom_id"], row["status"], row["file"]) for row in rows] == [
        ("1", "succeeded", "1.png"),
        ("2", "succeeded", "2.png"),
        ("3", "queued", ""),
    ]


def test_names_stay_in_the_folder_and_apart_from_each_other(api: Api, client: TestClient) -> None:
    place = campaign_of(client, NAMES)
    work(api, amount=len(NAMES), lane=Lane.CAMPAIGN)
    names = unpacked(client.get(f"{place}/archive").content).namelist()
    assert len({name.lower() for name in names}) == len(NAMES) + 2
    assert not [
        name for name in names if "/" in name or "\\" in name or name.startswith(("-", "."))
    ]
    assert "Löffel_№ 1.png" in names
    assert "_nul.png" in names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a/b\\c:d", "a_b_c_d"),
        ("..", ""),
        (" .hidden. ", "hidden"),
        ("con", "_con"),
        ("com1.jpg", "_com1.jpg"),
        ("a\x00b\nc", "a_b_c"),
        ("ü" * 200, "ü" * (LONGEST // 2)),
    ],
)
def test_any_text_becomes_a_name_that_every_system_takes(text: str, name: str) -> None:
    assert stem(text) == name


def test_the_manifest_tells_of_every_job(api: Api, client: TestClient) -> None:
    place = campaign_of(client, ["1", "=2+3"])
    work(api, lane=Lane.CAMPAIGN)
    fail(api, InvalidImage("The picture is truncated."))
    rows = list(csv.DictReader(StringIO(client.get(f"{place}/manifest").text)))
    assert [row["custom_id"] for row in rows] == ["1", "'=2+3"]
    assert (rows[0]["cost_micros"], rows[0]["style"], rows[0]["width"]) == ("274", "plain@1", "64")
    assert (rows[1]["error_code"], rows[1]["error_detail"]) == (
        "invalid-image",
        "The picture is truncated.",
    )
    lines = client.get(f"{place}/manifest", params={"format": "jsonl"}).text.splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == ["1", "=2+3"]
    assert json.loads(lines[0])["sha256"] == rows[0]["sha256"]


def test_no_cell_of_a_manifest_is_a_formula(api: Api, client: TestClient) -> None:
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
    names += ["写真=1.jpg", "a;=1"]
    place = campaign_of(client, names)
    rows = csv.DictReader(StringIO(client.get(f"{place}/manifest").text, newline=""))
    shown = [row["custom_id"] for row in rows]
    assert shown == [*(f"'{name}" for name in names[:8]), *names[8:]]


def test_a_manifest_names_sources_without_what_lets_in(client: TestClient) -> None:
    """It goes on to others with the archive."""
    url = "https://shop.example/cup.jpg?X-Amz-Signature=letmein"
    item = {"custom_id": "1", "input": {"url": url}}
    answer = client.post("/v1/campaigns", json={"name": "n", "style": "plain", "items": [item]})
    assert answer.status_code == 202, answer.text
    place = f"{answer.json()['urls']['get']}/manifest"
    [row] = csv.DictReader(StringIO(client.get(place).text))
    assert row["source"] == "https://shop.example/cup.jpg"


def test_a_manifest_is_written_in_pages(
    api: Api, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.handover.lines.PAGE", 3)
    place = campaign_of(client, [str(number) for number in range(9)])
    lines = client.get(f"{place}/manifest", params={"format": "jsonl"}).text.splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == [str(n) for n in range(9)]


def stored_at(api: Api, client: TestClient, place: str) -> Path:
    """Where the first finished picture of a campaign lies."""
    assert isinstance(api.desk.storage, LocalStorage)
    digest = client.get(f"{place}/items").json()["data"][0]["output"]["asset_id"]
    return api.desk.storage.path(asset_key(api.ground.tenant_id, digest))


def test_a_picture_that_is_gone_is_missing_and_the_others_are_there(
    api: Api, client: TestClient
) -> None:
    place = campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    stored_at(api, client, place).unlink()
    file = unpacked(client.get(f"{place}/archive").content)
    assert file.namelist() == ["manifest.csv", "SHA256SUMS"]
    [row] = csv.DictReader(StringIO(file.read("manifest.csv").decode()))
    assert (row["status"], row["file"]) == ("succeeded", "")


def test_an_archive_that_the_store_cuts_short_is_none(api: Api, client: TestClient) -> None:
    place = campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    path = stored_at(api, client, place)
    path.unlink()
    path.symlink_to(path)  # neither there nor missing: the store cannot say
    with serving(api) as url:
        headers = {"Authorization": f"Bearer {api.key}"}
        got = bytearray()
        with (  # noqa: PT012 - the stream breaks while it is read, or before
            pytest.raises(httpx2.TransportError),
            httpx2.stream("GET", f"{url}{place}/archive", headers=headers) as answer,
        ):
            for chunk in answer.iter_bytes():
                got += chunk
    with pytest.raises(BadZipFile):
        ZipFile(BytesIO(got))


def reported(client: TestClient, place: str, kind: str) -> Any:
    answer = client.get(f"{place}/report", params={"format": kind})
    assert answer.status_code == 200, answer.text
    assert "sandbox" in answer.headers["content-security-policy"]
    return answer


def test_the_report_says_what_was_done_and_shows_some_of_it(api: Api, client: TestClient) -> None:
    card = {"licence": {"spdx": "CC-BY-4.0", "licensor": "A <b>", "evidence": "contract 7"}}
    with api.desk.sessions.begin() as session:
        # Of a style that is offered nothing changes; this one was always so.
        session.execute(sql("ALTER TABLE style_versions DISABLE TRIGGER style_version_stays"))
        session.execute(update(StyleVersion).values(card=card))
    place = campaign_of(client, ["<script>alert(1)</script>", "2", "3"], "Frühling & <Söhne>")
    work(api, amount=2, lane=Lane.CAMPAIGN)
    fail(api, InvalidImage("Not a <picture>."))
    text = reported(client, place, "html").text
    assert "Frühling &amp; &lt;Söhne&gt;" in text
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert text.count('src="data:image/jpeg;base64,') == 4
    for said in (
        "CC-BY-4.0",
        "A &lt;b&gt;",
        "contract 7",
        "invalid-image",
        "Not a &lt;picture&gt;.",
    ):
        assert said in text
    assert "USD 0.0005" in text  # two pictures of 274 millionths
    assert "accepted to finished" in text


def test_the_report_can_be_a_pdf(api: Api, client: TestClient) -> None:
    place = campaign_of(client, ['#panic("x") $ _*`', "日本"], "Spring #1 \\ [x]")
    work(api, amount=2, lane=Lane.CAMPAIGN)
    answer = reported(client, place, "pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert answer.content.count(b"/Subtype /Image") + answer.content.count(b"/Subtype/Image") >= 1


def test_a_report_of_nothing_yet_is_a_report(client: TestClient) -> None:
    place = campaign_of(client, ["1"])
    assert "unfinished" in reported(client, place, "html").text
    assert reported(client, place, "pdf").content.startswith(b"%PDF-")


def test_a_mix_names_the_licences_of_all_its_parts(api: Api, client: TestClient) -> None:
    place = campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    with api.desk.sessions.begin() as session:
        first = session.get_one(StyleVersion, api.ground.style_version_id)
        other = StyleVersion(
            slug="plain",
            version=2,
            stylizer_digest=first.stylizer_digest,
            status=first.status,
            embedding=first.embedding,
            card={"licence": {"spdx": "LicenseRef-Two"}},
        )
        session.add(other)
    upload_id = upload_of(client, jpeg())
    item = {"custom_id": "1", "input": {"upload_id": upload_id}}
    body = {"name": "m", "style": "plain@1:0.5,plain@2:0.5", "items": [item]}
    place = client.post("/v1/campaigns", json=body).json()["urls"]["get"]
    work(api, lane=Lane.CAMPAIGN)
    text = reported(client, place, "html").text
    assert "LicenseRef-Two" in text
    assert "plain@1" in text


def test_unknown_formats_are_refused(client: TestClient) -> None:
    place = campaign_of(client, ["1"])
    for part in ("manifest", "report"):
        answer = client.get(f"{place}/{part}", params={"format": "exe"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_what_was_erased_is_missing_in_the_report_and_nothing_else(
    api: Api, client: TestClient
) -> None:
    place = campaign_of(client, ["1"])
    work(api, lane=Lane.CAMPAIGN)
    stored_at(api, client, place).unlink()
    assert "cannot be shown" in reported(client, place, "html").text


def test_hostile_pictures_have_no_thumbnail_and_harm_no_other() -> None:
    bomb = BytesIO()
    Image.new("L", (6_000, 6_000)).save(bomb, "PNG")
    given = [jpeg(), b"", b"GIF89a nonsense", truncated(png()), bomb.getvalue(), cmyk(), held(6)]
    given.append(saved(photo(), "AVIF", speed=9))  # which we write
    made = thumbnails(given, side=40)
    seen = [True, False, False, False, False, True, True, True]
    assert [it is not None for it in made] == seen
    for it in made:
        if it is not None:
            assert max(Image.open(BytesIO(it)).size) <= 40


def test_jobs_of_others_are_in_no_manifest(api: Api, client: TestClient, tmp_path: Path) -> None:
    place = campaign_of(client, ["1"])
    campaign_of(client, ["2"])
    lines = client.get(f"{place}/manifest", params={"format": "jsonl"}).text.splitlines()
    assert len(lines) == 1
    with api.desk.sessions() as session:
        job = session.get_one(Job, UUID(json.loads(lines[0])["job_id"]))
    assert str(job.campaign_id) in place
