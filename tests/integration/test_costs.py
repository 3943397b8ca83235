"""What was measured is what is charged, for good; and what was foreseen is what came."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.db import Sessions, rate_cards
from app.db.models import DeviceHour, Inference, Job, LanePace, LedgerEntry
from app.domain.job import Lane
from app.domain.prices import Usage, exactly
from app.errors import Misconfigured
from app.settings import RateCard
from tests.integration.shop import Shop, open_shop
from tests.rows import new_campaign, new_ground
from workers.batcher import Batcher
from workers.batches import Budget
from workers.engines.null import NullEngine
from workers.meter import Meter

SIZES = [(160, 120), (320, 240), (240, 320), (160, 120), (320, 240), (200, 200)]
ROUNDS = 4  #: in which a machine that others use, too, may hold still for once


@pytest.fixture
def drawing(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
    """With the network that we ship."""
    with open_shop(database_url, redis_url, tmp_path, "onnx") as shop:
        yield shop


@pytest.fixture
def shop(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(database_url, redis_url, tmp_path) as shop:
        yield shop


def settled(shop: Shop) -> list[LedgerEntry]:
    with shop.desk.sessions() as session:
        kind = LedgerEntry.kind == "settle"
        return list(session.scalars(select(LedgerEntry).where(kind).order_by(LedgerEntry.id)))


def charged(one: LedgerEntry) -> Usage:
    """What an entry says that a picture took."""
    signatures = one.signatures or 0
    return Usage(one.device_ms or 0, one.cpu_ms or 0, one.stored_bytes or 0, signatures)


def test_the_ledger_adds_up_to_what_the_engine_took(drawing: Shop) -> None:
    drawing.post("/v1/campaigns", drawing.campaign(SIZES * 3))
    calls: list[float] = []
    draw = drawing.studio.draw

    def drawn(item: Any) -> Any:
        future = draw(item)
        future.add_done_callback(
            lambda done: calls.append(done.result().device_ms / done.result().batch_size)
        )
        return future

    drawing.studio = replace(drawing.studio, draw=drawn)
    assert drawing.serve() == 18
    with drawing.desk.sessions() as session:
        shares = [one.device_ms * one.pixel_share for one in session.scalars(select(Inference))]
    entries = settled(drawing)
    measured = sum(calls)
    assert sum(shares) == pytest.approx(measured, rel=0.02)
    assert sum(entry.device_ms or 0 for entry in entries) == pytest.approx(measured, rel=0.02)
    card = drawing.desk.settings.rate_card
    exact = sum(exactly(card, charged(one)) for one in entries)
    assert sum(entry.amount_micros for entry in entries) == pytest.approx(exact, abs=1)
    assert {entry.rate_card for entry in entries} == {card.name}


def test_a_job_shows_what_it_is_charged_for(shop: Shop) -> None:
    campaign = shop.post("/v1/campaigns", shop.campaign([(640, 480)]))
    shop.serve()
    [item] = shop.get(campaign["urls"]["items"])["data"]
    parts = item["cost"]["parts"]
    assert abs(sum(part["micros"] for part in parts.values()) - item["cost"]["micros"]) < 1
    # A JPEG of that size takes milliseconds in the child, and as many to encode here.
    assert 0.002 < parts["cpu"]["quantity"] < 1.0
    assert parts["storage"]["quantity"] == item["output"]["bytes"] / 1e9
    assert parts["signing"]["quantity"] == 1
    assert item["cost"]["rate_card"] == "2026-12"


def test_pictures_that_cost_less_than_a_millionth_add_up_all_the_same(shop: Shop) -> None:
    shop.studio = replace(shop.studio, rate_card=RateCard(name="cheap", per_job=0))
    shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 50))
    shop.serve()
    entries = settled(shop)
    card = shop.studio.rate_card
    exact = sum(exactly(card, charged(one)) for one in entries)
    assert sum(entry.amount_micros for entry in entries) == pytest.approx(exact, abs=1)
    assert {entry.rate_card for entry in entries} == {"cheap"}, "the card it was done under"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET amount_micros = 1",
        "DELETE FROM ledger",
        "UPDATE rate_cards SET currency = 'EUR'",
        "DELETE FROM rate_cards",
        'UPDATE jobs SET tags = \'{"brand": "other"}\'',
        "UPDATE jobs SET principal = 'somebody'",
        'UPDATE campaigns SET tags = \'{"brand": "other"}\'',
    ],
)
def test_history_cannot_be_rewritten(sessions: Sessions, statement: str) -> None:
    with sessions.begin() as session:
        new_campaign(session, new_ground(session), 2)
        rate_cards.register(session, RateCard())
    with (
        pytest.raises(IntegrityError, match=r"append-only|stay as they were submitted"),
        sessions.begin() as session,
    ):
        session.execute(text(statement))


def test_a_known_card_keeps_its_prices(sessions: Sessions) -> None:
    rate_cards.agree(sessions, RateCard())
    rate_cards.agree(sessions, RateCard(estimate_ms_per_megapixel=9.0))  # a guess is no price
    with pytest.raises(Misconfigured, match=r"per_job.*name of their own"):
        rate_cards.agree(sessions, RateCard(per_job=21))
    rate_cards.agree(sessions, RateCard(name="2027-01", per_job=21))
    with sessions() as session:
        known = rate_cards.known(session)
    assert {name: card.per_job for name, card in known.items()} == {"2026-12": 20, "2027-01": 21}


def test_a_worker_with_other_prices_does_not_start(
    shop: Shop, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_RATE_CARD__PER_JOB", "1")
    with (
        pytest.raises(Misconfigured, match="known with other prices"),
        open_shop(database_url, redis_url, tmp_path),
    ):
        raise AssertionError("nothing opens")


def test_estimate_and_bill_agree(drawing: Shop) -> None:
    drawing.post("/v1/campaigns", drawing.campaign(SIZES * 3))
    drawing.serve()
    seen: list[float] = []
    for _ in range(ROUNDS):
        drawing.tell()
        body = drawing.campaign([(300, 260), (160, 120), (320, 240)] * 5)
        estimate = drawing.post("/v1/estimates", body)
        assert (estimate["basis"], estimate["jobs"], estimate["assumed"]) == ("measured", 15, 0)
        campaign = drawing.post("/v1/campaigns", body)
        foreseen = campaign["cost"]["estimated_micros"]
        drawing.serve()
        bill = drawing.get(campaign["urls"]["get"])["cost"]["actual_micros"]
        seen.append(estimate["price"]["micros"] / bill)
        assert foreseen == pytest.approx(estimate["price"]["micros"], rel=0.03)
        if 0.85 <= seen[-1] <= 1.15:
            return
    pytest.fail(f"estimates were {seen} of the bills")


def test_the_end_of_a_steady_queue_is_foretold(shop: Shop) -> None:
    batcher = Batcher(NullEngine(120.0), budget=Budget(8, 2**22), capacity=256)
    with batcher, ThreadPoolExecutor(3) as tickets:
        shop.studio = replace(shop.studio, draw=batcher.submit)
        seen: list[float] = []
        shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 200))
        list(tickets.map(lambda _: shop.serve(), range(3)))
        for _ in range(ROUNDS):
            shop.tell()
            campaign = shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 300))
            start = monotonic()
            list(tickets.map(lambda _: shop.serve(), range(3)))
            seen.append(campaign["eta_seconds"] / (monotonic() - start))
            if 0.75 <= seen[-1] <= 1.25:
                return
        pytest.fail(f"foretold were {seen} of the times that it took")


def test_positions_are_fair_between_tenants(shop: Shop) -> None:
    many = shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 40))
    few = shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 2))
    shop.tell()
    assert shop.get(many["urls"]["get"])["queue_position"] == 1
    assert shop.get(few["urls"]["get"])["queue_position"] == 41
    with shop.desk.sessions.begin() as session:
        stranger = new_ground(session, "stranger")
        new_campaign(session, stranger, 3)
    last = shop.get(few["urls"]["items"])["data"][-1]
    assert (last["queue_position"], last["eta_seconds"]) == (None, None), "not in listings"
    assert shop.get(last["urls"]["get"])["queue_position"] == 42 + 3
    given = shop.campaign([(64, 48)])["items"][0]["input"]
    job = shop.post("/v1/jobs", {"style": "great-wave", "input": given})
    assert job["queue_position"] == 1
    assert shop.get(many["urls"]["get"])["queue_position"] == 2, "behind whoever waits"


def test_a_place_deep_in_the_queue_is_found_without_counting_it(shop: Shop) -> None:
    with shop.desk.sessions.begin() as session:
        [tenant_id] = session.execute(text("SELECT id FROM tenants")).one()
        ground = replace(new_ground(session, "other"), tenant_id=tenant_id)
        new_campaign(session, ground, 1_000)
    with shop.desk.sessions() as session:
        ids = session.scalars(select(Job.id).order_by(Job.id)).all()
    for place in (0, 255, 256, 700, 999):
        assert shop.get(f"/v1/jobs/{ids[place]}")["queue_position"] == place + 1


def test_nothing_is_foretold_where_nobody_works(shop: Shop) -> None:
    campaign = shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 2))
    assert (campaign["queue_position"], campaign["eta_seconds"]) == (1, None)
    shop.serve()
    done = shop.get(campaign["urls"]["get"])
    assert (done["queue_position"], done["eta_seconds"]) == (None, 0)


def test_a_worker_tells_how_long_it_was_up_and_how_fast_it_was(shop: Shop) -> None:
    shop.post("/v1/campaigns", shop.campaign([(64, 48)] * 5))
    shop.serve()
    shop.tell()
    with shop.desk.sessions() as session:
        hours = session.scalars(select(DeviceHour)).all()
        pace = session.scalars(select(LanePace)).one()
    assert sum(hour.pictures for hour in hours) == pace.pictures == 5
    assert sum(hour.up_ms for hour in hours) >= pace.busy_ms > 0
    assert pace.device_ms == pytest.approx(sum(one.device_ms or 0 for one in settled(shop)))
    assert (pace.lane, pace.engine, pace.tiled) == (Lane.CAMPAIGN, "null", False)


def test_a_report_that_fails_is_made_up_for_by_the_next(shop: Shop) -> None:
    class Away:
        def begin(self) -> Any:
            raise ConnectionError("the database is away")

    meter = Meter()
    with meter.busy():
        meter.drawn(Lane.CAMPAIGN, 4_096, Usage(10.0, 1.0, 900), tiled=False)
    with pytest.raises(ConnectionError):
        meter.report(Away(), "w", "cpu:0", "null")  # type: ignore[arg-type]
    meter.report(shop.desk.sessions, "w", "cpu:0", "null")
    with shop.desk.sessions() as session:
        pace = session.scalars(select(LanePace)).one()
    assert (pace.pictures, pace.device_ms) == (1, 10.0)
    assert pace.busy_ms > 0


def test_a_worker_that_ends_in_order_is_counted_on_no_more(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with open_shop(database_url, redis_url, tmp_path) as first:
        first.post("/v1/campaigns", first.campaign([(64, 48)]))
        first.serve()
        first.tell()
        with first.desk.sessions() as session:
            assert first.desk.outlook.queue(session).workers.stylizing == 1
        first.studio.meter.close(
            first.desk.sessions, first.studio.worker, first.studio.device, first.studio.engine
        )
        with first.desk.sessions() as session:
            assert first.desk.outlook.queue(session).workers.stylizing == 0
