"""Licences at four points: when work is accepted, claimed, approved and delivered."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from zipfile import ZipFile

import httpx2
import pytest
from sqlalchemy import event, select, update
from starlette.testclient import TestClient

from app.db import ledger, licences
from app.db.models import Job, LedgerEntry, StyleVersion
from app.domain.job import Lane
from app.errors import LicenceExpired, StyleSuspended, TerritoryNotAllowed
from app.settings import GovernanceSettings
from tests.integration.conftest import Api, speaking, work
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_uploads import upload_of
from tests.integration.test_pipeline import announced, decoders, studio  # noqa: F401 - fixtures
from tests.licensed import had_always, in_days, new_style
from tests.unit.pictures import jpeg
from workers.pipeline import stylize
from workers.studio import Studio

NOBODY = {"Authorization": ""}

#: What lapses between two points, and the code that says so.
LAPSES: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"valid_until": in_days(-1)}, "style-licence-expired"),
    "foreign territory": ({"territories": ["FR"]}, "territory-not-allowed"),
    "suspended": ({}, "style-suspended"),
}


def hand_in(client: TestClient, style: str = "brand", **more: Any) -> httpx2.Response:
    body = {"style": style, "input": {"upload_id": upload_of(client, jpeg())}}
    return client.post("/v1/jobs", json=body | more)


def campaign(client: TestClient, styles: list[str], **more: Any) -> httpx2.Response:
    given = {"upload_id": upload_of(client, jpeg())}
    items = [
        {"custom_id": str(number), "input": given, "style": style}
        for number, style in enumerate(styles)
    ]
    body = {"name": "spring", "style": styles[0], "items": items}
    return client.post("/v1/campaigns", json=body | more)


def offer(api: Api, slug: str = "brand", **limits: Any) -> None:
    with api.desk.sessions.begin() as session:
        new_style(session, slug, **limits)


def suspend(api: Api, slug: str = "brand") -> None:
    with api.desk.sessions.begin() as session:
        its = StyleVersion.slug == slug
        moved = {"status": "suspended", "suspended_at": datetime.now(UTC)}
        session.execute(update(StyleVersion).where(its).values(**moved))


def lapse(api: Api, limits: dict[str, Any], slug: str = "brand") -> None:
    """What `LAPSES` names happens."""
    if not limits:
        suspend(api, slug)
        return
    with api.desk.sessions.begin() as session:
        had_always(session, slug, **limits)


# --- accepted ---


@pytest.mark.parametrize(
    ("limits", "asked", "code"),
    [
        ({"valid_until": in_days(-1)}, {}, "style-licence-expired"),
        ({"valid_from": in_days(1)}, {}, "style-not-licensed"),
        ({"territories": ["DE", "AT"]}, {"territory": "FR"}, "territory-not-allowed"),
        ({"territories": ["DE", "AT"]}, {"territory": ["DE", "FR"]}, "territory-not-allowed"),
        ({"territories": ["DE", "AT"]}, {}, "territory-not-allowed"),
        ({"channels": ["web"]}, {"channel": "print"}, "channel-not-allowed"),
        ({"channels": ["web"]}, {}, "channel-not-allowed"),
        ({"tenants": ["other"]}, {}, "style-not-licensed"),
        ({"commercial_use": False}, {}, "style-not-licensed"),
        (None, {}, "style-suspended"),
    ],
)
def test_work_that_its_licence_does_not_allow_is_refused_and_leaves_nothing(
    api: Api,
    client: TestClient,
    limits: dict[str, Any] | None,
    asked: dict[str, Any],
    code: str,
) -> None:
    offer(api, **(limits or {}))
    if limits is None:
        suspend(api)
    upload_of(client, jpeg())
    before = {name: n for name, n in api.stored().items() if name != "uploads"}
    refusal(hand_in(client, **asked), 422, code)
    refusal(hand_in(client, "plain:1,brand:1", **asked), 422, code)
    refusal(campaign(client, ["plain", "brand"], **asked), 422, code)
    foreseen = {"style": "plain:1,brand:1", "count": 3, **asked}
    refusal(client.post("/v1/estimates", json=foreseen), 422, code)
    flat = {
        name: ",".join([text] if isinstance(text, str) else text) for name, text in asked.items()
    }
    form = {"style": "brand", **flat}
    files = {"content": ("a.jpg", jpeg())}
    refusal(client.post("/v1/jobs", data=form, files=files), 422, code)
    after = {name: n for name, n in api.stored().items() if name != "uploads"}
    assert after == before
    assert api.tickets.lanes == []


@pytest.mark.parametrize(
    ("limits", "asked", "kept"),
    [
        ({}, {}, None),
        ({}, {"territory": "FR", "channel": "print"}, {"territory": ["FR"], "channel": ["print"]}),
        ({"valid_until": in_days(1)}, {}, None),
        ({"territories": ["DE", "AT"]}, {"territory": "at"}, {"territory": ["AT"]}),
        ({"tenants": ["one", "other"]}, {}, None),
        ({"commercial_use": False}, {"commercial": False}, {"commercial": False}),
    ],
)
def test_work_that_its_licence_allows_is_accepted_with_what_was_said(
    api: Api,
    client: TestClient,
    limits: dict[str, Any],
    asked: dict[str, Any],
    kept: dict[str, Any] | None,
) -> None:
    offer(api, **limits)
    for answer in (hand_in(client, **asked), campaign(client, ["brand"], **asked)):
        assert answer.status_code == 202, answer.text
    foreseen = {"style": "brand", "count": 3, **asked}
    assert client.post("/v1/estimates", json=foreseen).status_code == 200
    [alone, item] = client.get("/v1/jobs").json()["data"]
    assert alone["usage"] == item["usage"] == kept


def test_where_it_is_shown_does_not_make_it_another_picture(api: Api, client: TestClient) -> None:
    for asked in ({}, {"territory": "DE", "channel": "web"}):
        assert hand_in(client, "plain", **asked).status_code == 202
    with api.desk.sessions() as session:
        assert len(set(session.scalars(select(Job.render_key)))) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"territory": "UK"},
        {"territory": "Germany"},
        {"territory": ["DE"] * 250},
        {"territory": {"a": 1}},
        {"channel": "smoke signals"},
        {"channel": 7},
        {"commercial": "perhaps"},
    ],
)
def test_a_use_that_is_none_is_pointed_at(client: TestClient, asked: dict[str, Any]) -> None:
    problem = refusal(hand_in(client, "plain", **asked), 422, "invalid-request")
    assert problem["errors"][0]["pointer"].startswith("/" + next(iter(asked)))


def test_a_print_and_a_pinned_name_are_held_to_the_licence_too(
    api: Api, client: TestClient
) -> None:
    offer(api, valid_until=in_days(-1))
    refusal(hand_in(client, "brand@1", quality="print"), 422, "style-licence-expired")


# --- claimed ---


@pytest.fixture
def workshop(api: Api, studio: Studio) -> Studio:  # noqa: F811 - the fixture
    """A stylizing worker over the same database and store as the API."""
    return replace(studio, storage=api.desk.storage)


@pytest.mark.parametrize(("limits", "code"), LAPSES.values(), ids=LAPSES)
def test_what_lapses_while_it_waits_fails_unbilled_and_the_others_go_on(
    api: Api,
    client: TestClient,
    workshop: Studio,
    announced: list[UUID],  # noqa: F811 - the fixture
    limits: dict[str, Any],
    code: str,
) -> None:
    offer(api)
    offer(api, "other")
    styles = ["brand", "plain", "plain:3,brand:1", "brand", "other"]
    accepted = campaign(client, styles, territory="DE").json()
    lapse(api, limits)
    stylize(workshop, Lane.CAMPAIGN)
    items = client.get(accepted["urls"]["items"]).json()["data"]
    codes = [item["error"] and item["error"]["code"] for item in items]
    assert codes == [code, None, code, code, None]
    assert [item["status"] for item in items] == [
        "failed" if broken else "succeeded" for broken in codes
    ]
    told = client.get(accepted["urls"]["get"]).json()
    assert (told["status"], told["counts"]["failed"]) == ("finished", 3)
    assert {str(one) for one in announced} == {item["id"] for item in items} | {accepted["id"]}
    with api.desk.sessions() as session:
        for item in items:
            mine = LedgerEntry.job_id == UUID(item["id"])
            amounts = session.scalars(select(LedgerEntry.amount_micros).where(mine)).all()
            assert (sum(amounts) == 0) is (item["status"] == "failed")
        assert ledger.balance(session, api.ground.tenant_id) > 0


def test_a_lapsed_campaign_costs_a_claim_the_same_statements_whatever_its_size(
    api: Api, client: TestClient, workshop: Studio
) -> None:
    offer(api)
    few, many = (lapsed_statements(api, client, workshop, amount) for amount in (1, 8))
    assert len(few) == len(many)
    assert any("UPDATE jobs" in statement for statement in few)


def lapsed_statements(api: Api, client: TestClient, workshop: Studio, amount: int) -> list[str]:
    """What a worker asks of the database for so many jobs whose licence has ended."""
    campaign(client, ["brand"] * amount)
    lapse(api, {"valid_until": in_days(-1)})
    said: list[str] = []

    def note(*given: Any) -> None:
        said.append(given[2])

    engine = api.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    stylize(workshop, Lane.CAMPAIGN)
    event.remove(engine, "before_cursor_execute", note)
    with api.desk.sessions.begin() as session:
        had_always(session, "brand", valid_until=in_days(1))
    return said


def test_a_webhook_hears_of_what_lapsed(api: Api, client: TestClient, workshop: Studio) -> None:
    offer(api)
    hook = {"url": "https://shop.example/hook", "events": ["job.failed"]}
    hand_in(client, webhook=hook)
    suspend(api)
    stylize(workshop, Lane.INTERACTIVE)
    tickets: Any = workshop.tickets
    assert tickets.deliveries == 1


# --- approved ---


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (LAPSES["expired"][0], LicenceExpired),
        (LAPSES["foreign territory"][0], TerritoryNotAllowed),
        (LAPSES["suspended"][0], StyleSuspended),
    ],
)
def test_what_lapsed_since_it_was_drawn_cannot_be_approved(
    api: Api, client: TestClient, limits: dict[str, Any], kind: type[Exception]
) -> None:
    offer(api)
    fine = UUID(hand_in(client, "plain", territory="DE").json()["id"])
    mixed = UUID(hand_in(client, "plain:3,brand:1", territory="DE").json()["id"])
    work(api, amount=2)
    tenant = api.ground.tenant_id
    with api.desk.sessions() as session:
        licences.check_terms(session, tenant, [fine, mixed])
    lapse(api, limits)
    with api.desk.sessions() as session:
        licences.check_terms(session, tenant, [fine])
        with pytest.raises(kind):
            licences.check_terms(session, tenant, [fine, mixed])
        rows = session.scalars(select(Job)).all()
        assert [type(one) for one in licences.lapsed(session, rows).values()] == [kind]


# --- delivered ---


def delivered(client: TestClient, api: Api, style: str = "brand", **asked: Any) -> dict[str, Any]:
    """The output of a job that was drawn."""
    job = hand_in(client, style, **asked).json()
    work(api)
    output: dict[str, Any] = client.get(f"/v1/jobs/{job['id']}").json()["output"]
    return output


@pytest.mark.parametrize("style", ["brand", "plain:3,brand:1"])
@pytest.mark.parametrize(("limits", "code"), LAPSES.values(), ids=LAPSES)
def test_what_lapsed_since_it_was_drawn_is_kept_and_not_delivered(
    api: Api, client: TestClient, limits: dict[str, Any], code: str, style: str
) -> None:
    offer(api)
    output = delivered(client, api, style, territory="DE")
    path = f"/v1/assets/{output['asset_id']}"
    assert client.get(output["url"], headers=NOBODY).status_code == 200
    kept = api.stored()["files"]
    lapse(api, limits)
    refusal(client.get(path), 451, code)
    refusal(client.get(path, headers={"If-None-Match": f'"{output["asset_id"]}"'}), 451, code)
    refusal(client.get(path, headers={"Range": "bytes=0-3"}), 451, code)
    refusal(client.get(output["url"], headers=NOBODY), 451, code)
    assert api.stored()["files"] == kept
    if code != "territory-not-allowed":
        job = client.get("/v1/jobs").json()["data"][0]
        assert job["status"] == "succeeded"
        assert job["output"]["url"] is None


def test_an_archive_and_a_report_leave_out_what_is_kept_back(api: Api, client: TestClient) -> None:
    offer(api)
    accepted = campaign(client, ["brand", "plain", "plain:3,brand:1"]).json()
    work(api, amount=3, lane=Lane.CAMPAIGN)
    place = accepted["urls"]["get"]
    assert client.get(f"{place}/report").text.count("data:image/") == 6
    suspend(api)
    with ZipFile(BytesIO(client.get(f"{place}/archive").content)) as file:
        assert file.namelist() == ["1.png", "manifest.csv", "SHA256SUMS"]
    manifest = client.get(f"{place}/manifest?format=jsonl").text.splitlines()
    lines = [json.loads(line) for line in manifest]
    assert [line["file"] for line in lines] == [None, "1.png", None]
    assert [line["error_detail"] is None for line in lines] == [False, True, False]
    assert client.get(f"{place}/report").text.count("data:image/") == 2


def test_a_picture_leaves_only_for_where_it_is_licensed(api: Api, client: TestClient) -> None:
    offer(api, territories=["DE", "AT"])
    output = delivered(client, api, territory="DE")
    path = f"/v1/assets/{output['asset_id']}"
    for place in ("DE", "at"):
        assert client.get(path, params={"territory": place}).status_code == 200
    refusal(client.get(path, params={"territory": "FR"}), 451, "territory-not-allowed")
    refusal(client.get(path, params={"territory": "UK"}), 422, "invalid-request")
    kept = client.get(path).headers["cache-control"]
    assert kept == "private, max-age=3600"


def test_an_edge_that_knows_where_its_readers_are_is_believed(api: Api) -> None:
    offer(api, territories=["DE"])
    governance = GovernanceSettings(four_eyes=False, country_header="X-Country")
    settings = api.desk.settings.model_copy(update={"governance": governance})
    with speaking(replace(api, desk=replace(api.desk, settings=settings))) as client:
        output = delivered(client, api, territory="DE")
        url = output["url"]
        assert client.get(url, headers={**NOBODY, "X-Country": "de"}).status_code == 200
        for place in ("FR", "XX", "", "\xff" * 99):
            sent = {b"X-Country": place.encode("latin-1")}
            answer = client.get(url, headers=sent)
            refusal(answer, 451, "territory-not-allowed")
        refusal(client.get(url), 451, "territory-not-allowed")


def test_links_end_with_the_licence_at_the_latest(api: Api, client: TestClient) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    offer(api, valid_until=soon.isoformat())
    output = delivered(client, api)
    assert expiry(output["url"]) == int(soon.timestamp())
    answer = client.get(output["url"], headers=NOBODY)
    seconds = int(answer.headers["cache-control"].partition("max-age=")[2])
    assert 0 < seconds <= 600
    with api.desk.sessions.begin() as session:
        had_always(session, "brand", valid_until=in_days(100))
    far = client.get("/v1/jobs").json()["data"][0]["output"]["url"]
    assert timedelta(minutes=29) < left(far) <= timedelta(hours=1)


def test_links_of_a_mix_end_with_the_first_of_its_licences(api: Api, client: TestClient) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    offer(api, valid_until=in_days(300))
    offer(api, "other", valid_until=soon.isoformat())
    output = delivered(client, api, "plain:5,brand:3,other:2")
    assert expiry(output["url"]) == int(soon.timestamp())


def test_links_without_an_end_live_as_long_as_ever(api: Api, client: TestClient) -> None:
    output = delivered(client, api, "plain")
    assert timedelta(hours=11) < left(output["url"]) <= timedelta(hours=24)
    answer = client.get(output["url"], headers=NOBODY)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_photograph_of_ones_own_is_delivered_whatever_was_made_of_it(
    api: Api, client: TestClient
) -> None:
    offer(api)
    hand_in(client)
    suspend(api)
    assert client.get(f"/v1/assets/{sha256(jpeg()).hexdigest()}").status_code == 200


def test_a_picture_that_another_style_gave_too_is_delivered_under_that_one(
    api: Api, client: TestClient
) -> None:
    offer(api)
    hand_in(client, "plain")
    hand_in(client)
    work(api, amount=2)
    suspend(api)
    first, second = client.get("/v1/jobs").json()["data"]
    assert (first["output"]["url"], first["style"]) == (None, "brand@1")
    assert client.get(second["output"]["url"], headers=NOBODY).status_code == 200


def expiry(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["expires"][0])


def left(url: str) -> timedelta:
    return timedelta(seconds=expiry(url) - datetime.now(UTC).timestamp())


@pytest.fixture
def stranger(api: Api) -> Iterator[TestClient]:
    with speaking(replace(api, key=api.stranger)) as client:
        yield client


def test_who_else_has_a_licence_is_nobodys_business(
    api: Api, client: TestClient, stranger: TestClient
) -> None:
    offer(api, tenants=["one", "secret client"], valid_until=in_days(5.5))
    [brand, _] = client.get("/v1/styles").json()["data"]
    assert brand["name"] == "brand"
    assert "tenants" not in brand["card"]["licence"]
    assert (brand["expires_in_days"], len(brand["warnings"])) == (5, 1)
    assert [one["name"] for one in stranger.get("/v1/styles").json()["data"]] == ["plain"]
    refusal(stranger.get("/v1/styles/brand"), 404, "not-found")
    refusal(hand_in(stranger), 422, "style-not-licensed")


@pytest.mark.parametrize(("limits", "code"), LAPSES.values(), ids=LAPSES)
def test_a_reviewer_cannot_approve_what_lapsed_and_the_others_can_be(
    api: Api, client: TestClient, limits: dict[str, Any], code: str
) -> None:
    offer(api)
    offer(api, "other")
    brand = hand_in(client, review="all", territory="DE").json()
    other = hand_in(client, "other", review="all").json()
    work(api, amount=2)
    lapse(api, limits)
    answer = client.post(f"/v1/reviews/{brand['id']}", json={"decision": "approve"})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    for style, approved in (("brand", 0), ("other", 1)):
        bulk = {"decision": "approve", "query": {"style": style}}
        assert client.post("/v1/reviews", json=bulk).json()["count"] == approved
    assert client.get(other["urls"]["get"]).json()["status"] == "succeeded"
    assert client.get(brand["urls"]["get"]).json()["status"] == "in_review"
    reject = {"decision": "reject", "reason_code": "licence-lapsed"}
    assert client.post(f"/v1/reviews/{brand['id']}", json=reject).status_code == 200
