"""Pictures behind URLs are held to licences at all four points, and before they are fetched."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.db import ledger
from app.db.models import LedgerEntry
from app.domain.job import Lane
from tests.integration.conftest import Api, speaking
from tests.integration.test_api_licences import LAPSES, lapse, offer
from tests.integration.test_api_refusals import refusal
from tests.integration.test_io_worker import egress, porter  # noqa: F401 - fixtures
from tests.integration.test_pipeline import announced, decoders, studio  # noqa: F401 - fixtures
from tests.loopback import Loopback, reply, serving
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg
from workers.fetching import Porter, fetch
from workers.pipeline import stylize
from workers.studio import Studio

each_lapse = pytest.mark.parametrize(("limits", "code"), LAPSES.values(), ids=LAPSES)


@dataclass(frozen=True)
class House:
    """An API, a worker that fetches, one that draws, and somebody's server with a photograph."""

    api: Api
    client: TestClient
    porter: Porter
    studio: Studio
    server: Loopback

    def hand_in(self, style: str = "brand", **more: Any) -> httpx2.Response:
        body = {"style": style, "input": {"url": f"{self.server.url}/a.jpg"}, "territory": "DE"}
        return self.client.post("/v1/jobs", json=body | more)

    def accepted(self, **more: Any) -> str:
        """Where a job is that was."""
        answer = self.hand_in(**more)
        assert answer.status_code == 202, answer.text
        place: str = answer.json()["urls"]["get"]
        return place

    def drawn(self, **more: Any) -> Any:
        """A job whose picture was fetched and drawn."""
        place = self.accepted(**more)
        assert fetch(self.porter) == {"fetched": 1}
        assert stylize(self.studio, Lane.INTERACTIVE)["succeeded"] == 1
        return self.client.get(place).json()

    def unbilled(self, job_id: str) -> bool:
        with self.api.desk.sessions() as session:
            mine = LedgerEntry.job_id == UUID(job_id)
            amounts = session.scalars(select(LedgerEntry.amount_micros).where(mine)).all()
        return len(amounts) == 2 and sum(amounts) == 0


@pytest.fixture
def house(
    api: Api,
    porter: Porter,  # noqa: F811 - the fixture
    studio: Studio,  # noqa: F811 - the fixture
) -> Iterator[House]:
    settings = api.desk.settings.model_copy(update={"allow_private_sources": True})
    api = replace(api, desk=replace(api.desk, settings=settings))
    offer(api)
    with serving(lambda _: [reply(200, jpeg())]) as server, speaking(api) as client:
        brings, draws = (
            replace(porter, storage=api.desk.storage),
            replace(studio, storage=api.desk.storage),
        )
        yield House(api, client, brings, draws, server)


@each_lapse
def test_what_lapsed_before_is_not_accepted(
    house: House, limits: dict[str, Any], code: str
) -> None:
    lapse(house.api, limits)
    before = house.api.stored()
    refusal(house.hand_in(), 422, code)
    refusal(house.hand_in("plain:3,brand:1"), 422, code)
    assert house.api.stored() == before


@each_lapse
def test_what_lapsed_since_is_not_even_fetched(
    house: House, limits: dict[str, Any], code: str
) -> None:
    hook = {"url": "https://shop.example/hook", "events": ["job.failed"]}
    place = house.accepted(webhook=hook)
    lapse(house.api, limits)
    assert fetch(house.porter) == {"broken": 1}
    job = house.client.get(place).json()
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", code, 1)
    assert house.unbilled(job["id"])
    assert house.server.received == []
    assert isinstance(house.porter.tickets, ListTickets)
    assert house.porter.tickets.deliveries == 1


@each_lapse
def test_those_of_a_campaign_that_lapsed_leave_the_others_alone(
    house: House, limits: dict[str, Any], code: str
) -> None:
    styles = ["brand", "plain", "plain:3,brand:1"]
    items = [
        {"custom_id": str(number), "input": {"url": f"{house.server.url}/{number}"}, "style": style}
        for number, style in enumerate(styles)
    ]
    body = {"name": "spring", "style": "plain", "territory": "DE", "items": items}
    urls = house.client.post("/v1/campaigns", json=body).json()["urls"]
    lapse(house.api, limits)
    assert [fetch(house.porter) for _ in items] == [{"broken": 1}, {"fetched": 1}, {"broken": 1}]
    stylize(house.studio, Lane.CAMPAIGN)
    told = house.client.get(urls["items"]).json()["data"]
    assert [one["error"] and one["error"]["code"] for one in told] == [code, None, code]
    counts = house.client.get(urls["get"]).json()["counts"]
    assert (counts["succeeded"], counts["failed"]) == (1, 2)
    assert len(house.server.received) == 1


@each_lapse
def test_what_lapsed_since_it_was_fetched_is_not_drawn(
    house: House, limits: dict[str, Any], code: str
) -> None:
    place = house.accepted()
    assert fetch(house.porter) == {"fetched": 1}
    lapse(house.api, limits)
    assert stylize(house.studio, Lane.INTERACTIVE) == {}
    job = house.client.get(place).json()
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert house.unbilled(job["id"])


@each_lapse
def test_what_lapsed_since_it_was_drawn_is_not_approved(
    house: House, limits: dict[str, Any], code: str
) -> None:
    job = house.drawn(review="all")
    lapse(house.api, limits)
    approval = f"/v1/reviews/{job['id']}"
    refusal(house.client.post(approval, json={"decision": "approve"}), 422, code)
    many = {"decision": "approve", "query": {"style": "brand"}}
    assert house.client.post("/v1/reviews", json=many).json()["count"] == 0
    assert house.client.get(job["urls"]["get"]).json()["status"] == "in_review"


@each_lapse
def test_what_lapsed_since_it_was_approved_is_not_delivered(
    house: House, limits: dict[str, Any], code: str
) -> None:
    job = house.drawn(review="all")
    approved = house.client.post(f"/v1/reviews/{job['id']}", json={"decision": "approve"}).json()
    picture = approved["output"]
    for place in (picture["url"], f"/v1/assets/{picture['asset_id']}"):
        assert house.client.get(place).status_code == 200
    lapse(house.api, limits)
    for place in (picture["url"], f"/v1/assets/{picture['asset_id']}"):
        refusal(house.client.get(place), 451, code)


def test_nothing_lapsed_takes_nothing(house: House) -> None:
    job = house.drawn()
    assert job["status"] == "succeeded"
    with house.api.desk.sessions() as session:
        assert ledger.balance(session, house.api.ground.tenant_id) == job["cost"]["micros"] > 0
