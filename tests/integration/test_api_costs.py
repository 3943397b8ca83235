"""What was spent, asked for over HTTP and typed by hand; tags, exports and estimates."""

import csv
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.cli import cli
from app.db import keys, spending, tags
from app.db.models import Tenant
from app.domain.job import Lane
from app.focus import COLUMNS
from tests.integration.conftest import Api, work
from tests.integration.shop import Shop, open_shop
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.unit.pictures import jpeg

TAGS = {"brand": "acme", "cost_center": "4200"}
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "北京=1", "ü;=1")
AS_JSON = {"Content-Type": "application/json"}
NOTHING = {"upload_id": "01a20327-7718-7d3f-8a30-3ff1eb792c17"}


@pytest.fixture
def shop(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(database_url, redis_url, tmp_path) as shop:
        yield shop


def body(client: TestClient, amount: int = 1, **about: Any) -> dict[str, Any]:
    upload_id = upload_of(client, jpeg())
    items = [
        {"custom_id": str(number), "input": {"upload_id": upload_id}} for number in range(amount)
    ]
    return {"name": "spring", "style": "plain", "items": items} | about


def groups(client: TestClient, by: str | None = None, **query: Any) -> dict[str | None, Any]:
    answer = client.get("/v1/costs", params=({"group_by": by} if by else {}) | query)
    assert answer.status_code == 200, answer.text
    return {one["key"]: one for one in answer.json()["data"]}


def spend(api: Api, client: TestClient) -> str:
    """Two campaigns and a job of three tags, five successes, one failure and one withdrawal."""
    first = client.post("/v1/campaigns", json=body(client, 3, tags=TAGS)).json()
    second = body(client, 2, name="summer", tags={"brand": "zenith"})
    second["items"][1]["tags"] = {"brand": "acme"}
    second["items"].append({"custom_id": "x", "input": NOTHING})
    assert client.post("/v1/campaigns", json=second).status_code == 202
    given = {"upload_id": upload_of(client, jpeg())}
    job = client.post("/v1/jobs", json={"style": "plain", "input": given}).json()
    client.post(job["urls"]["cancel"])
    assert len(work(api, amount=9, lane=Lane.CAMPAIGN)) == 5
    return str(first["id"])


def test_costs_are_grouped_by_what_they_are_charged_to(api: Api, client: TestClient) -> None:
    campaign = spend(api, client)
    total = groups(client)[None]
    assert (total["jobs"], total["micros"]) == (5, 5 * 274)
    assert groups(client, "campaign")[campaign]["micros"] == 3 * 274
    assert {key: one["jobs"] for key, one in groups(client, "tag:brand").items()} == {
        "acme": 4,
        "zenith": 1,
    }
    assert {key: one["jobs"] for key, one in groups(client, "tag:cost_center").items()} == {
        "4200": 3,
        None: 2,
    }
    assert groups(client, "style").keys() == {"plain@1"}
    assert groups(client, "day").keys() == {datetime.now(UTC).strftime("%Y-%m-%d")}
    assert groups(client, "principal").keys() == {api.key[:12]}
    assert len(groups(client, "job")) == 5
    by_status = groups(client, "status")
    assert {key: (one["jobs"], one["micros"]) for key, one in by_status.items()} == {
        "succeeded": (5, 5 * 274),
        "failed": (1, 0),
        "canceled": (1, 0),
    }


def test_costs_of_other_times_and_tenants_are_none(api: Api, client: TestClient) -> None:
    spend(api, client)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert groups(client, "campaign", until=yesterday.isoformat()) == {}
    assert groups(client, since=yesterday.strftime("%Y-%m-%d"))[None]["jobs"] == 5
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    answer = client.get("/v1/costs", params={"group_by": "job"}, headers=stranger)
    assert answer.json()["data"] == []
    exported = client.get("/v1/costs/export", headers=stranger).text
    assert exported == ",".join(COLUMNS) + "\r\n"


def test_costs_come_in_pages(api: Api, client: TestClient) -> None:
    spend(api, client)
    everything = list(groups(client, "job"))
    assert everything == sorted(map(str, everything))
    seen: list[str] = []
    path = "/v1/costs?group_by=job&limit=2"
    while path:
        answer = client.get(path)
        seen += [one["key"] for one in answer.json()["data"]]
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    assert seen == everything


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("group_by=colour", 422, "invalid-request"),
        ("group_by=tag:", 422, "invalid-request"),
        ("group_by=tag:'; DROP TABLE ledger; --", 422, "invalid-request"),
        ("since=yesterday", 422, "invalid-request"),
        ("since=2026-12-02&until=2026-12-01", 422, "invalid-request"),
        ("until=0001-01-01", 422, "invalid-request"),
        ("since=9999-12-31T23:59:59-14:00", 422, "invalid-request"),
        ("since=1e400", 422, "invalid-request"),
        ("limit=0", 422, "invalid-request"),
        ("cursor=AAAA", 400, "bad-request"),
        ("cursor=%FF%FE", 400, "bad-request"),
        ("group_by=style&cursor={other}", 400, "bad-request"),
    ],
)
def test_bad_questions_are_refused(
    api: Api, client: TestClient, query: str, status: int, code: str
) -> None:
    spend(api, client)
    other = client.get("/v1/costs?group_by=job&limit=1").json()["next_cursor"]
    refusal(client.get("/v1/costs?" + query.replace("{other}", other)), status, code)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Brand": "acme"},
        {"": "acme"},
        {"k" * 41: "acme"},
        {"brand": ""},
        {"brand": "x" * 256},
        {"brand": "é" * 128},
        {"brand": "x" * 300},
        {"brand": "a\x00b"},
        {"brand": "a\nb"},
        {"brand": "\ud800"},
        {"brand": 7},
        {"brand": None},
        {f"key_{number}": "x" for number in range(11)},
        ["brand"],
    ],
)
def test_tags_of_another_shape_are_refused(
    shared_client: TestClient, shared_api: Api, wrong: Any
) -> None:
    """Lone surrogates are refused before anybody looks at tags: they are no JSON."""
    upload_id = upload_of(shared_client, jpeg())
    before = shared_api.stored()
    job = {"style": "plain", "input": {"upload_id": upload_id}, "tags": wrong}
    item = {"custom_id": "1", "input": {"upload_id": upload_id}}
    campaign = {"name": "n", "style": "plain", "items": [item], "tags": wrong}
    tagged = {"name": "n", "style": "plain", "items": [item | {"tags": wrong}]}
    for path, sent in (
        ("/v1/jobs", job),
        ("/v1/campaigns", campaign),
        ("/v1/campaigns", tagged),
        ("/v1/estimates", campaign),
    ):
        answer = shared_client.post(path, content=json.dumps(sent), headers=AS_JSON)
        if wrong == {"brand": "\ud800"}:
            refusal(answer, 400, "bad-request")
            continue
        problem = refusal(answer, 422, "invalid-request")
        assert "/tags" in problem["errors"][0]["pointer"]
    form = {"style": "plain", "tags": json.dumps(wrong)}
    answer = shared_client.post("/v1/jobs", files={"content": jpeg()}, data=form)
    refusal(answer, 422, "invalid-request")
    assert shared_api.stored() == before


def test_tags_of_255_bytes_and_other_alphabets_are_kept(client: TestClient) -> None:
    kept = {"brand": "x" * 255, "markt": "北京 Ünlü — “Q4”"}
    sent = body(client, tags=kept)
    campaign = client.post("/v1/campaigns", json=sent).json()
    assert campaign["tags"] == kept
    form = {"style": "plain", "tags": json.dumps(kept)}
    job = client.post("/v1/jobs", files={"content": jpeg()}, data=form).json()
    assert job["tags"] == kept


def test_tags_keep_to_the_tenants_dictionary(api: Api, client: TestClient) -> None:
    with api.desk.sessions.begin() as session:
        tags.allow(session, "one", "brand", ["acme", "zenith"], required=True)
        tags.allow(session, "one", "cost_center", None, required=False)
    for wrong in ({}, {"brand": "other"}, {"brand": "acme", "team": "x"}, {"cost_center": "1"}):
        for path in ("/v1/campaigns", "/v1/estimates"):
            answer = client.post(path, json=body(client, tags=wrong))
            assert "/tags" in refusal(answer, 422, "invalid-tags")["errors"][0]["pointer"]
        job = {"style": "plain", "input": {"upload_id": upload_of(client, jpeg())}, "tags": wrong}
        refusal(client.post("/v1/jobs", json=job), 422, "invalid-tags")
    sent = body(client, 2, tags=TAGS)
    sent["items"][1]["tags"] = {"brand": "other"}
    campaign = client.post("/v1/campaigns", json=sent).json()
    assert (campaign["counts"]["queued"], campaign["counts"]["failed"]) == (1, 1)
    failed = client.get(campaign["urls"]["items"], params={"status": "failed"}).json()["data"]
    assert [item["error"]["code"] for item in failed] == ["invalid-tags"]
    stranger = {"Authorization": f"Bearer {api.stranger}"}
    form = {"style": "plain", "tags": '{"team": "x"}'}
    answer = client.post("/v1/jobs", files={"content": jpeg()}, data=form, headers=stranger)
    assert answer.status_code == 202, "another tenant's rules are not ours"


def test_too_many_tags_with_those_of_the_campaign_fail_their_item(client: TestClient) -> None:
    sent = body(client, 1, tags={f"a{number}": "x" for number in range(10)})
    sent["items"][0]["tags"] = {"b": "x"}
    campaign = client.post("/v1/campaigns", json=sent).json()
    [item] = client.get(campaign["urls"]["items"]).json()["data"]
    assert item["error"]["code"] == "invalid-tags"


def exported(client: TestClient, **query: Any) -> list[dict[str, str]]:
    answer = client.get("/v1/costs/export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.text, newline="")))


def test_the_export_holds_every_charge_under_its_key_and_campaign(shop: Shop) -> None:
    campaign = shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 3, tags=TAGS))
    shop.serve()
    lines = exported(shop.client)
    key = shop.client.headers["authorization"].removeprefix("Bearer ")[:12]
    assert {line["PrincipalId"] for line in lines} == {key}
    assert {line["ConsumerId"] for line in lines} == {campaign["id"]}
    assert {line["Tags"] for line in lines} == {json.dumps(TAGS, sort_keys=True)}
    assert {line["SubAccountName"] for line in lines} == {"one"}
    assert len({line["ResourceId"] for line in lines}) == 3
    paid = shop.get(campaign["urls"]["get"])["cost"]["actual_micros"]
    assert sum(float(line["BilledCost"]) for line in lines) == pytest.approx(paid / 1e6, abs=1e-6)
    assert list(lines[0]) == list(COLUMNS)
    refusal(shop.client.get("/v1/costs/export?since=x"), 422, "invalid-request")


@pytest.mark.parametrize("zone", ["+16:00", "-23:59", "+00:00"])
@pytest.mark.parametrize("path", ["/v1/costs", "/v1/costs/export"])
def test_any_zone_that_can_be_written_is_understood(
    shared_client: TestClient, path: str, zone: str
) -> None:
    """Postgres itself knows none of 16 hours and more."""
    since = {"since": f"2026-01-01T00:00:00{zone}"}
    assert shared_client.get(path, params=since).status_code == 200


def test_an_export_holds_no_formula(shop: Shop) -> None:
    tags = {f"key_{number}": text for number, text in enumerate(FORMULAS)}
    shop.post("/v1/campaigns", shop.campaign([(64, 48)], tags=tags))
    shop.serve()
    with shop.desk.sessions.begin() as session:
        session.execute(update(Tenant).values(name="=cmd|' /C calc'!A0"))
    [*lines] = exported(shop.client)
    assert json.loads(lines[0]["Tags"]) == tags
    assert lines[0]["SubAccountName"] == "'=cmd|' /C calc'!A0"
    assert not [cell for line in lines for cell in line.values() if cell[:1] in tuple("=+-@")]


def test_a_long_export_is_read_in_pages(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "PAGE", 4)
    shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 11))
    shop.serve()
    lines = exported(shop.client)
    assert len({line["ResourceId"] for line in lines}) == 11
    assert len({(line["ResourceId"], line["SkuId"]) for line in lines}) == len(lines)


def test_an_estimate_creates_nothing(api: Api, client: TestClient) -> None:
    sent = body(client, 3, tags=TAGS, webhook={"url": "https://shop.example/hooks"})
    before = api.stored()
    answer = client.post("/v1/estimates", json=sent)
    assert answer.status_code == 200, answer.text
    estimate = answer.json()
    assert (estimate["jobs"], estimate["basis"]) == (3, "rate_card")
    card = api.desk.settings.rate_card
    each = 64 * 48 / 1e6 * card.estimate_ms_per_megapixel / 1000 * card.per_device_second
    assert estimate["price"]["parts"]["device"]["micros"] == pytest.approx(3 * each, rel=1e-3)
    assert estimate["licences"] == [{"style": "plain@1", "licence": None, "licensor": None}]
    assert api.stored() == before
    assert api.tickets.lanes == []


def test_an_estimate_tells_which_pictures_would_fail(api: Api, client: TestClient) -> None:
    sent = body(client, 2)
    sent["items"][1]["input"] = NOTHING
    sent["items"].append({"custom_id": "url", "input": {"url": "https://shop.example/1.jpg"}})
    sent["items"].append({"custom_id": "near", "input": {"url": "http://127.0.0.1/1.jpg"}})
    estimate = client.post("/v1/estimates", json=sent | {"megapixels": 2.0}).json()
    assert (estimate["jobs"], estimate["assumed"]) == (2, 1)
    assert estimate["megapixels"] == pytest.approx(2.0 + 64 * 48 / 1e6)
    assert {one["code"]: one["custom_ids"] for one in estimate["objections"]} == {
        "unknown-upload": ["1"],
        "source-forbidden": ["near"],
    }


def test_a_count_is_estimated_without_a_picture(client: TestClient) -> None:
    asked = {"style": "plain", "count": 500, "megapixels": 2.0, "output": {"size": 1600}}
    one = client.post("/v1/estimates", json=asked | {"count": 1}).json()
    many = client.post("/v1/estimates", json=asked).json()
    assert many["price"]["micros"] == pytest.approx(500 * one["price"]["micros"], rel=1e-3)
    assert (many["jobs"], many["assumed"], many["megapixels"]) == (500, 500, 1000.0)
    given = {"upload_id": upload_of(client, jpeg())}
    job = client.post("/v1/estimates", json={"style": "plain", "input": given}).json()
    assert (job["jobs"], job["assumed"], job["queue_position"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"style": "nothing-like-it"}, "unknown-style"),
        ({"items": [], "count": None}, "invalid-request"),
        ({"count": 3}, "invalid-request"),
        ({"items": [], "count": 0}, "invalid-request"),
        (
            {"items": [], "count": 3, "variants": [{"suffix": "a", "style": "nothing-like-it"}]},
            "unknown-style",
        ),
        ({"items": [], "count": 10**12}, "invalid-request"),
        ({"items": [], "count": 3, "megapixels": -1}, "invalid-request"),
        ({"items": [], "count": 3, "megapixels": "NaN"}, "invalid-request"),
        ({"webhook": {"url": "http://127.0.0.1/"}}, "invalid-request"),
        ({"colour": "red"}, "invalid-request"),
    ],
)
def test_what_would_be_refused_is_not_estimated(
    shared_client: TestClient, changes: dict[str, Any], code: str
) -> None:
    refusal(shared_client.post("/v1/estimates", json=body(shared_client) | changes), 422, code)


def test_a_picture_that_is_not_there_is_not_estimated(shared_client: TestClient) -> None:
    asked = {"style": "plain", "input": NOTHING}
    refusal(shared_client.post("/v1/estimates", json=asked), 422, "unknown-upload")


def typed(shop: Shop, *words: str) -> str:
    """What a command says, on the shop's database."""
    bind = shop.desk.sessions.kw["bind"]
    given = {
        "DATABASE_URL": bind.url.render_as_string(hide_password=False),
        "IMPASTO_SECRET_KEY": "a long random text",
    }
    from app.settings import settings

    settings.cache_clear()
    try:
        result = CliRunner().invoke(cli, words, env=os.environ | given)
    finally:
        settings.cache_clear()
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_the_operators_export_shows_idle_time(shop: Shop, tmp_path: Path) -> None:
    shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 2, tags=TAGS))
    shop.serve()
    shop.tell()
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    printed = typed(shop, "costs", "export", "--until", until)
    lines = list(csv.DictReader(StringIO(printed, newline="")))
    idle = [line for line in lines if line["SkuId"] == "impasto-idle-device"]
    assert len(idle) == 1
    assert float(idle[0]["ConsumedQuantity"]) > 0
    alone = typed(shop, "costs", "export", "--until", until, "--tenant", "one")
    assert len(list(csv.DictReader(StringIO(alone, newline="")))) == len(lines) - 1

    out = tmp_path / "costs.parquet"
    typed(shop, "costs", "export", "--until", until, "--format", "parquet", "--out", str(out))
    table = pq.read_table(out)
    assert table.column_names == list(COLUMNS)
    assert table.num_rows == len(lines)
    billed = sum(value.as_py() for value in table.column("BilledCost"))
    assert billed == pytest.approx(sum(float(line["BilledCost"]) for line in lines))


def test_the_dictionary_of_tags_is_typed(shop: Shop) -> None:
    typed(
        shop, "costs", "tags", "allow", "brand", "acme", "zenith", "--tenant", "one", "--required"
    )
    typed(shop, "costs", "tags", "allow", "cost_center", "--tenant", "one")
    assert json.loads(typed(shop, "costs", "tags", "list", "--tenant", "one", "--json")) == [
        {"key": "brand", "values": ["acme", "zenith"], "required": True},
        {"key": "cost_center", "values": None, "required": False},
    ]
    refused = shop.client.post("/v1/campaigns", json=shop.campaign([(64, 48)]))
    refusal(refused, 422, "invalid-tags")
    for key in ("brand", "cost_center"):
        typed(shop, "costs", "tags", "forbid", key, "--tenant", "one")
    shop.post("/v1/campaigns", shop.campaign([(64, 48)], tags={"any": "thing"}))


def test_keys_with_awkward_characters_are_known_by_their_first_eight(api: Api) -> None:
    with api.desk.sessions.begin() as session:
        made = [keys.create(session, tenant="one", name=str(number)) for number in range(50)]
        prefixes = {row.ApiKey.prefix for row in keys.listing(session)}
    assert {key[4 : 4 + keys.PREFIX] for key in made} <= prefixes
