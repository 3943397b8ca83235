"""The life of a style after it is learned: four eyes, suspension, withdrawal, and what is kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from starlette.testclient import TestClient

from app.db import expiries, keys, style_moves
from app.db.models import EventRow, StyleHistory, StyleNotice, StyleVersion
from app.domain.job import Lane
from app.domain.style import StyleMove, StyleStatus
from app.settings import GovernanceSettings
from tests.integration.conftest import Api, speaking, work
from tests.integration.test_api_licences import campaign, hand_in
from tests.integration.test_api_refusals import refusal
from tests.integration.test_api_styles import LICENCE, learn, order
from tests.integration.test_api_tenants import operations
from tests.licensed import had_always, in_days, new_style
from tests.tickets import ListTickets
from workers.sweep import sweep

WHY = {"reason": "legal said so"}
MOVES = [move.value for move in StyleMove]


@contextmanager
def strict(api: Api, key: str) -> Iterator[TestClient]:
    """Somebody with that key, where four eyes are asked for."""
    settings = api.desk.settings.model_copy(update={"governance": GovernanceSettings()})
    with speaking(replace(api, key=key, desk=replace(api.desk, settings=settings))) as client:
        yield client


@pytest.fixture
def second(api: Api) -> str:
    """Another key of the first tenant's."""
    with api.desk.sessions.begin() as session:
        return keys.create(session, tenant="one", name="second")


@pytest.fixture
def stranger(api: Api) -> Iterator[TestClient]:
    with speaking(replace(api, key=api.stranger)) as client:
        yield client


def move(client: TestClient, what: str, name: str = "harbour", **body: Any) -> Any:
    return client.post(f"/v1/styles/{name}/{what}", json=WHY | body)


def status(client: TestClient, name: str = "harbour") -> str:
    return str(client.get(f"/v1/styles/{name}").json()["versions"][0]["status"])


def learned(api: Api, client: TestClient, **changes: Any) -> None:
    assert order(client, **changes).status_code == 202
    learn(api)


def offered(api: Api, client: TestClient) -> None:
    learned(api, client)
    assert client.post("/v1/styles/harbour/activate").status_code == 200


# --- four eyes ---


def test_who_asks_for_the_review_is_not_who_says_yes(api: Api, second: str) -> None:
    with strict(api, api.key) as one, strict(api, second) as other:
        learned(api, one)
        problem = refusal(one.post("/v1/styles/harbour/activate"), 409, "illegal-style-transition")
        assert "is draft; activate is for what is review" in problem["detail"]
        refusal(hand_in(one, "harbour"), 422, "unknown-style")
        assert one.post("/v1/styles/harbour/submit-for-review").status_code == 200
        assert status(one) == "review"
        refusal(hand_in(one, "harbour"), 422, "unknown-style")
        refusal(move(one, "activate"), 409, "four-eyes")
        assert status(one) == "review"
        assert move(other, "activate").status_code == 200
        assert hand_in(one, "harbour").status_code == 202
        assert move(one, "activate").status_code == 200  # again: nothing more happens
    with api.desk.sessions() as session:
        kept = session.scalars(select(StyleHistory).order_by(StyleHistory.id)).all()
    assert [(row.move, row.status) for row in kept] == [
        (StyleMove.SUBMIT, StyleStatus.REVIEW),
        (StyleMove.ACTIVATE, StyleStatus.ACTIVE),
    ]
    assert [row.by for row in kept] == [f"key:{api.key[4:12]}", f"key:{second[4:12]}"]
    assert [row.reason for row in kept] == [None, WHY["reason"]]


def test_the_same_key_in_the_other_header_is_the_same_key(api: Api) -> None:
    with strict(api, api.key) as one:
        learned(api, one)
        move(one, "submit-for-review")
        headers = {"Authorization": "", "X-API-Key": api.key}
        answer = one.post("/v1/styles/harbour/activate", headers=headers)
        refusal(answer, 409, "four-eyes")


def test_two_eyes_are_enough_where_the_service_says_so(api: Api, client: TestClient) -> None:
    offered(api, client)
    learned(api, client)
    move(client, "submit-for-review")
    assert move(client, "activate").status_code == 200
    versions = client.get("/v1/styles/harbour").json()["versions"]
    assert [one["status"] for one in versions] == ["active", "active"]


def test_a_style_that_is_still_learning_is_moved_by_nobody(api: Api, client: TestClient) -> None:
    order(client)
    for what in MOVES:
        refusal(move(client, what), 409, "style-not-ready")


@pytest.mark.parametrize(
    ("way", "what"),
    [
        ((), "suspend"),
        ((), "reinstate"),
        (("submit-for-review",), "suspend"),
        (("activate",), "submit-for-review"),
        (("activate", "suspend"), "activate"),
        (("activate", "suspend"), "submit-for-review"),
        (("activate", "retire"), "activate"),
        (("activate", "retire"), "reinstate"),
        (("activate", "retire"), "suspend"),
        (("activate", "withdraw"), "reinstate"),
    ],
)
def test_a_move_that_leads_nowhere_from_here_is_refused(
    api: Api, client: TestClient, way: tuple[str, ...], what: str
) -> None:
    learned(api, client)
    for step in way:
        assert move(client, step).status_code == 200
    before = status(client), api.stored()
    refusal(move(client, what), 409, "illegal-style-transition")
    assert (status(client), api.stored()) == before


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "\x00"}, {"reason": "x" * 1_001}, {"why": "x"}]
)
@pytest.mark.parametrize("what", ["suspend", "reinstate", "retire", "withdraw"])
def test_who_stops_a_style_says_why(
    shared_client: TestClient, what: str, body: dict[str, str]
) -> None:
    answer = shared_client.post(f"/v1/styles/harbour/{what}", json=body)
    refusal(answer, 422, "invalid-request")


# --- suspended, retired ---


def test_a_suspended_style_comes_back_with_everything(api: Api, client: TestClient) -> None:
    offered(api, client)
    job_id = hand_in(client, "harbour").json()["id"]
    work(api)
    url = client.get(f"/v1/jobs/{job_id}").json()["output"]["url"]
    for _ in range(2):
        assert move(client, "suspend").status_code == 200
    refusal(client.get(url), 451, "style-suspended")
    refusal(hand_in(client, "harbour"), 422, "style-suspended")
    [shown] = client.get("/v1/styles/harbour").json()["versions"]
    assert (shown["status"], shown["preview_url"]) == ("suspended", None)
    assert shown["warnings"][0].startswith("Suspended")
    assert move(client, "reinstate").status_code == 200
    assert client.get(url).status_code == 200
    assert hand_in(client, "harbour").status_code == 202
    with api.desk.sessions() as session:
        moves = [
            row.move for row in style_moves.history(session, f"{api.ground.tenant_id}/harbour", 1)
        ]
    assert moves == ["activate", "suspend", "reinstate"]


def test_a_retired_style_takes_nothing_new_and_keeps_what_there_is(
    api: Api, client: TestClient
) -> None:
    offered(api, client)
    job_id = hand_in(client, "harbour").json()["id"]
    assert move(client, "retire").status_code == 200
    refusal(hand_in(client, "harbour"), 422, "unknown-style")
    work(api)
    url = client.get(f"/v1/jobs/{job_id}").json()["output"]["url"]
    assert client.get(url).status_code == 200
    assert move(client, "withdraw").status_code == 200
    assert status(client) == "retired"
    refusal(client.get(url), 451, "style-not-licensed")


def test_retiring_opens_nothing_that_was_closed(api: Api, client: TestClient) -> None:
    offered(api, client)
    job_id = hand_in(client, "harbour").json()["id"]
    work(api)
    url = client.get(f"/v1/jobs/{job_id}").json()["output"]["url"]
    move(client, "suspend")
    move(client, "retire")
    refusal(client.get(url), 451, "style-suspended")


# --- withdrawn ---


def test_a_withdrawal_lists_every_picture_and_none_is_delivered(
    api: Api, client: TestClient, stranger: TestClient
) -> None:
    offered(api, client)
    one = campaign(client, ["harbour", "plain", "plain:3,harbour:1"]).json()
    campaign(client, ["harbour:2,plain:1", "plain"])
    work(api, amount=5, lane=Lane.CAMPAIGN)
    hand_in(client, "harbour")  # not drawn yet: there is nothing to take back
    answer = move(client, "withdraw")
    assert answer.status_code == 200
    withdrawal = answer.json()
    assert (withdrawal["style"], withdrawal["affected"]) == ("harbour@1", 4)
    assert withdrawal["reason"] == WHY["reason"]
    path, listed = withdrawal["assets_url"] + "?limit=2", []
    while path:
        page = client.get(path)
        listed += page.json()["data"]
        path = page.links["next"]["url"] if page.json()["has_more"] else ""
    learning, *drawn = listed
    assert [(row["campaign"], row["custom_id"]) for row in drawn] == [
        ("spring", "0"),
        ("spring", "2"),
        ("spring", "0"),
    ]
    assert drawn[0]["campaign_id"] == one["id"]
    assert [row["mix"] for row in drawn] == [
        None,
        {"plain@1": 0.75, "harbour@1": 0.25},
        {"harbour@1": 0.6667, "plain@1": 0.3333},
    ]
    refusal(client.get(f"/v1/assets/{learning['asset_id']}"), 451, "style-not-licensed")
    assert status(client) == "suspended"
    refusal(hand_in(client, "harbour"), 422, "style-not-licensed")
    refusal(stranger.get(withdrawal["assets_url"]), 404, "not-found")
    assert move(client, "withdraw").json()["affected"] == 4  # again: nothing more happens


def test_of_a_style_of_everybodys_one_sees_ones_own_pictures(
    api: Api, client: TestClient, stranger: TestClient
) -> None:
    hand_in(client, "plain")
    work(api)
    mine = client.get("/v1/styles/plain/versions/1/assets").json()["data"]
    assert len(mine) == 1
    assert stranger.get("/v1/styles/plain/versions/1/assets").json()["data"] == []
    for what in MOVES:
        refusal(move(client, what, "plain"), 404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/styles/plain/versions/2/assets",
        "/v1/styles/nobody/versions/1/assets",
        "/v1/styles/plain/versions/0/assets",
        "/v1/styles/plain/versions/x/assets",
        f"/v1/styles/plain/versions/{2**31}/assets",
        "/v1/styles/pl%00in/versions/1/assets",
    ],
)
def test_a_version_that_is_not_there_has_no_pictures(shared_client: TestClient, path: str) -> None:
    refusal(shared_client.get(path), 404, "not-found")


def test_a_cursor_opens_no_other_versions_pictures(api: Api, client: TestClient) -> None:
    for _ in range(3):
        hand_in(client, "plain")
    work(api, amount=3)
    page = client.get("/v1/styles/plain/versions/1/assets?limit=1").json()
    cursor = {"cursor": page["next_cursor"]}
    assert client.get("/v1/styles/plain/versions/1/assets", params=cursor).status_code == 200
    with api.desk.sessions.begin() as session:
        new_style(session)
    other = client.get("/v1/styles/brand/versions/1/assets", params=cursor)
    refusal(other, 400, "bad-request")


NAMED = [(method, path) for method, path, _ in operations() if "/styles/{name}" in path]


@pytest.mark.parametrize(("method", "path"), NAMED)
def test_another_tenants_style_is_not_found_whatever_is_asked_of_it(
    shared_api: Api, method: str, path: str
) -> None:
    with shared_api.desk.sessions.begin() as session:
        slug = f"{shared_api.ground.tenant_id}/secret"
        if session.scalars(select(StyleVersion).where(StyleVersion.slug == slug)).first() is None:
            new_style(session, "secret", tenant_id=shared_api.ground.tenant_id)
    before = shared_api.stored()
    address = path.replace("{name}", "secret").replace("{version}", "1")
    with speaking(replace(shared_api, key=shared_api.stranger)) as client:
        refusal(
            client.request(method, address, json=WHY if method == "post" else None),
            404,
            "not-found",
        )
    assert shared_api.stored() == before


def test_who_may_only_hand_work_in_may_stop_a_style_and_no_more(
    api: Api, client: TestClient, second: str
) -> None:
    offered(api, client)
    with speaking(replace(api, key=second)) as worker:
        assert move(worker, "suspend").status_code == 200
        for what in ("reinstate", "retire", "withdraw"):
            refused = refusal(move(worker, what), 403, "insufficient-scope")
            assert refused["needed"] == "admin"
    assert status(client) == "suspended"
    assert move(client, "withdraw").status_code == 200


# --- what is kept in the database ---


@pytest.mark.parametrize(
    "change",
    [
        "card = '{}'",
        "embedding = '\\x01020304'",
        "valid_until = now()",
        "version = 2",
        "preview_digest = NULL",
        "status = 'draft'",
    ],
)
@pytest.mark.parametrize("way", [("submit-for-review",), ("activate",), ("activate", "suspend")])
def test_what_is_no_draft_any_more_never_changes(
    api: Api, client: TestClient, way: tuple[str, ...], change: str
) -> None:
    learned(api, client)
    for step in way:
        move(client, step)
    statement = text(f"UPDATE style_versions SET {change} WHERE slug LIKE '%/harbour'")  # noqa: S608
    with pytest.raises(IntegrityError), api.desk.sessions.begin() as session:
        session.execute(statement)


@pytest.mark.parametrize(
    ("way", "change"),
    [
        (("retire",), "status = 'active'"),
        (("withdraw",), "suspended_at = NULL, status = 'active'"),
        (("withdraw",), "withdrawn_at = NULL"),
        (("activate",), "suspended_at = now()"),
        (("suspend",), "suspended_at = NULL"),
    ],
)
def test_no_hand_in_the_database_takes_a_decision_back(
    api: Api, client: TestClient, way: tuple[str, ...], change: str
) -> None:
    learned(api, client)
    for step in ("activate", *way):
        move(client, step)
    statement = text(f"UPDATE style_versions SET {change} WHERE slug LIKE '%/harbour'")  # noqa: S608
    with pytest.raises(IntegrityError), api.desk.sessions.begin() as session:
        session.execute(statement)


def test_a_draft_may_be_worked_on(api: Api, client: TestClient) -> None:
    learned(api, client)
    with api.desk.sessions.begin() as session:
        its = StyleVersion.slug.like("%/harbour")
        session.execute(update(StyleVersion).where(its).values(card={"licence": LICENCE}))
    assert client.get("/v1/styles/harbour").json()["versions"][0]["card"] == {"licence": LICENCE}


# --- learning ---


@pytest.mark.parametrize(
    ("limits", "status_", "code"),
    [
        ({"ai_use": False}, 422, "style-not-licensed"),
        ({"valid_until": "2020-01-01"}, 422, "style-licence-expired"),
        ({"tenants": ["other"]}, 422, "invalid-request"),
        ({"spdx": "CC-BY-ND-4.0"}, 422, "invalid-request"),
        ({"spdx": "CC-BY-NC-4.0"}, 422, "invalid-request"),
        ({"territories": ["UK"]}, 422, "invalid-request"),
        ({"valid_from": "2027-02-01", "valid_until": "2027-01-01"}, 422, "invalid-request"),
    ],
)
def test_a_picture_that_may_not_be_learned_is_not(
    api: Api, client: TestClient, limits: dict[str, Any], status_: int, code: str
) -> None:
    refusal(order(client, licence=LICENCE | limits), status_, code)
    with api.desk.sessions() as session:
        assert session.scalars(select(StyleVersion.slug)).all() == ["plain"]


def test_a_learned_style_is_held_to_what_its_order_said(api: Api, client: TestClient) -> None:
    limits = {"territories": ["DE"], "valid_until": in_days(40), "commercial_use": True}
    learned(api, client, licence=LICENCE | limits)
    client.post("/v1/styles/harbour/activate")
    [shown] = client.get("/v1/styles/harbour").json()["versions"]
    assert shown["card"]["licence"]["territories"] == ["DE"]
    assert (shown["expires_in_days"], shown["warnings"]) == (39, [])
    refusal(hand_in(client, "harbour", territory="FR"), 422, "territory-not-allowed")
    assert hand_in(client, "harbour", territory="DE").status_code == 202


# --- notices ---


def told(api: Api) -> list[tuple[UUID, Any]]:
    with api.desk.sessions() as session:
        wanted = select(EventRow).where(EventRow.type == "style.licence_expiring")
        return [(row.tenant_id, row.data) for row in session.scalars(wanted.order_by(EventRow.id))]


def sweeps(api: Api) -> int:
    return sweep(api.desk.sessions, ListTickets(), lambda _: 0)["expiring"]


def test_the_end_of_a_licence_is_told_three_times_and_no_more(api: Api) -> None:
    tenant = api.ground.tenant_id
    with api.desk.sessions.begin() as session:
        slug = new_style(session, tenant_id=tenant, valid_until=in_days(31)).slug
    assert sweeps(api) == 0
    for days, left in ((30, 29.9), (7, 6.9), (1, 0.9)):
        with api.desk.sessions.begin() as session:
            had_always(session, slug, valid_until=in_days(left))
        assert [sweeps(api) for _ in range(3)] == [1, 0, 0]
        owner, data = told(api)[-1]
        assert owner == tenant
        assert (data["style"], data["pinned"], data["days"]) == ("brand", "brand@1", days)
    with api.desk.sessions.begin() as session:
        had_always(session, slug, valid_until=in_days(-0.1))
    assert sweeps(api) == 0
    assert len(told(api)) == 3


def test_of_notices_that_are_late_only_the_shortest_is_told(api: Api) -> None:
    with api.desk.sessions.begin() as session:
        new_style(session, tenant_id=api.ground.tenant_id, valid_until=in_days(0.5))
    assert (sweeps(api), sweeps(api)) == (1, 0)
    assert [data["days"] for _, data in told(api)] == [1]
    with api.desk.sessions() as session:
        assert len(session.scalars(select(StyleNotice)).all()) == 3


def test_many_sweeps_at_once_tell_once(api: Api) -> None:
    with api.desk.sessions.begin() as session:
        new_style(session, tenant_id=api.ground.tenant_id, valid_until=in_days(5))

    def one(_: int) -> int:
        with api.desk.sessions.begin() as session:
            return expiries.announce(session)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(16))) == 1
    assert len(told(api)) == 1


def test_of_a_style_of_everybodys_those_hear_who_may_use_it(api: Api) -> None:
    with api.desk.sessions.begin() as session:
        new_style(session, valid_until=in_days(5))
        new_style(session, "exclusive", valid_until=in_days(5), tenants=["one"])
    assert sweeps(api) == 2
    heard = [(tenant, data["style"]) for tenant, data in told(api)]
    mine = api.ground.tenant_id
    assert len(heard) == 3
    assert [tenant for tenant, style in heard if style == "exclusive"] == [mine]
    assert mine in [tenant for tenant, style in heard if style == "brand"]


def test_a_suspended_style_has_no_end_to_tell_of(api: Api, client: TestClient) -> None:
    offered(api, client)
    with api.desk.sessions.begin() as session:
        had_always(session, f"{api.ground.tenant_id}/harbour", valid_until=in_days(5))
    move(client, "suspend")
    assert sweeps(api) == 0
