"""Too much waits: who is refused, what the answer says, and whether what was foretold comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

from app.db import Sessions, paces
from app.db.paces import Report
from app.domain.job import Lane
from app.domain.pace import MEMORY, Pace
from app.pressure import Pressure
from app.settings import PressureSettings
from tests.integration.conftest import Api, speaking
from tests.integration.shop import Shop, open_shop
from tests.integration.test_api_uploads import upload_of
from tests.rows import new_jobs
from tests.unit.pictures import jpeg
from workers.batcher import Batcher
from workers.batches import Budget
from workers.engines.null import NullEngine


@contextmanager
def bounded(api: Api, *, fresh: float = 0, **bounds: int) -> Iterator[TestClient]:
    settings = api.desk.settings.model_copy(update={"pressure": PressureSettings(**bounds)})
    pressure = Pressure(fresh=fresh, share=0)
    with speaking(replace(api, desk=replace(api.desk, settings=settings, pressure=pressure))) as it:
        yield it


def waits(api: Api, megapixels: int, lane: Lane = Lane.CAMPAIGN) -> None:
    """So many pictures of a megapixel: a second of a device each, and a worker two."""
    with api.desk.sessions.begin() as session:
        new_jobs(session, api.ground, megapixels, lane=lane, pixels=10**6)


def works(sessions: Sessions, workers: int) -> None:
    pace = Pace(10, 10, 10, 10_000, 10_000, busy_ms=20_000)
    for number in range(workers):
        kinds = {(Lane.CAMPAIGN, False): pace, (Lane.INTERACTIVE, False): pace}
        with sessions.begin() as session:
            paces.write(session, Report(f"w{number}", "h", "d", "e", 1, 1, 1, kinds))


def campaign(client: TestClient, amount: int = 1) -> Any:
    items = [{"input": {"upload_id": upload_of(client, jpeg((64, 48)))}} for _ in range(amount)]
    named = [{"custom_id": str(number), **item} for number, item in enumerate(items)]
    return client.post("/v1/campaigns", json={"name": "s", "style": "plain", "items": named})


def picture(client: TestClient) -> Any:
    return client.post("/v1/jobs", files={"content": jpeg((64, 48))}, data={"style": "plain"})


def test_campaigns_are_refused_and_somebody_who_waits_is_not(api: Api) -> None:
    works(api.desk.sessions, 4)
    waits(api, 100)
    with bounded(api, campaign_seconds=60, interactive_seconds=30) as client:
        before = api.stored()
        refused = campaign(client)
        assert refused.status_code == 429
        problem = refused.json()
        assert (problem["type"], problem["code"]) == ("/problems/overloaded", "overloaded")
        assert problem["retryable"] is True
        # 40 seconds of a device are too many; they keep one of four workers for twice as long.
        assert refused.headers["retry-after"] == "20"
        assert problem["retry_after"] == 20
        uploaded = {"uploads", "assets", "files"}
        after = api.stored()
        assert {name for name in after if after[name] != before[name]} <= uploaded
        assert picture(client).status_code == 202


def test_somebody_who_waits_is_refused_when_too_many_do(api: Api) -> None:
    works(api.desk.sessions, 1)
    waits(api, 31, Lane.INTERACTIVE)
    with bounded(api, campaign_seconds=1_000, interactive_seconds=30) as client:
        before = api.stored()
        refused = picture(client)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert api.stored() == before
        assert campaign(client).status_code == 202


def test_below_the_bound_a_campaign_of_any_size_passes_and_the_next_does_not(api: Api) -> None:
    with bounded(api, fresh=3600, campaign_seconds=1) as client:
        with api.desk.sessions.begin() as session:
            session.execute(text("DELETE FROM paces"))
        large = {"input": {"upload_id": upload_of(client, jpeg((1200, 1000)))}, "custom_id": "1"}
        body = {"name": "s", "style": "plain", "items": [large]}
        assert client.post("/v1/campaigns", json=body).status_code == 202
        refused = client.post("/v1/campaigns", json=body)
        assert refused.status_code == 429, "what this process let in counts before anybody looks"
        assert refused.headers["retry-after"] == "60", "nobody works, and nobody knows"


def test_what_is_drained_makes_room(api: Api) -> None:
    waits(api, 2)
    with bounded(api, campaign_seconds=1) as client:
        assert campaign(client).status_code == 429
        with api.desk.sessions.begin() as session:
            session.execute(text("UPDATE jobs SET paused = true"))
        assert campaign(client).status_code == 202


def test_zero_is_no_bound(api: Api) -> None:
    waits(api, 50)
    with bounded(api, campaign_seconds=0) as client:
        assert campaign(client).status_code == 202


def test_one_look_serves_many_submissions(api: Api) -> None:
    looks: list[str] = []

    def heard(_: object, __: object, statement: str, *___: object) -> None:
        if "AS every GROUP BY lane" in statement:
            looks.append(statement)

    engine = api.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", heard)
    try:
        with bounded(api, fresh=3600) as client:
            assert [picture(client).status_code for _ in range(10)] == [202] * 10
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    assert len(looks) == 1


@pytest.fixture
def shop(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
    """Its engine takes a twentieth of a second for each picture, one by one."""
    with (
        open_shop(database_url, redis_url, tmp_path) as its,
        Batcher(NullEngine(50.0), budget=Budget(1, 2**22)) as batcher,
    ):
        yield Shop(its.desk, replace(its.studio, draw=batcher.submit), its.client)


def busy_ms(shop: Shop) -> float:
    with shop.desk.sessions() as session:
        return float(session.scalar(text("SELECT sum(busy_ms) FROM paces")) or 0)


def test_what_is_foretold_comes_within_a_quarter(shop: Shop) -> None:
    shop.post("/v1/campaigns", shop.campaign([(96, 64)] * 16))
    shop.serve()
    shop.tell()
    known, amount = busy_ms(shop), 100
    upload = upload_of(shop.client, jpeg((96, 64)))
    items = [{"custom_id": str(n), "input": {"upload_id": upload}} for n in range(amount)]
    body = {"name": "summer", "style": "great-wave", "items": items}
    told = shop.post("/v1/campaigns", body)["eta_seconds"]
    assert shop.serve() == amount
    shop.tell()
    came = (busy_ms(shop) - known * exp(-amount / MEMORY)) / 1000
    assert came >= amount * 0.05, "the engine alone takes that"
    assert told == pytest.approx(came, rel=0.25)
