"""Whose turn comes when: what is foretold, against what claims do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import String, case, cast, func, select, text, update

from app.db import Sessions, backlog, control, jobs
from app.db.backlog import STRIDE, Place
from app.db.models import Campaign, Job
from app.domain.job import Lane
from tests.integration.shop import Shop, open_shop
from tests.rows import new_campaign, new_ground, new_jobs


@pytest.fixture
def shop(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(database_url, redis_url, tmp_path) as shop:
        yield shop


def campaign(shop: Shop, amount: int) -> UUID:
    """A campaign of the shop's tenant."""
    with shop.desk.sessions.begin() as session:
        [tenant_id] = session.execute(text("SELECT id FROM tenants ORDER BY id LIMIT 1")).one()
        ground = replace(new_ground(session, f"other {amount}"), tenant_id=tenant_id)
        return new_campaign(session, ground, amount)


def position(shop: Shop, campaign_id: UUID) -> int | None:
    place: int | None = shop.get(f"/v1/campaigns/{campaign_id}")["queue_position"]
    return place


def its_jobs(shop: Shop, campaign_id: UUID) -> list[UUID]:
    with shop.desk.sessions() as session:
        its = select(Job.id).where(Job.campaign_id == campaign_id).order_by(Job.id)
        return list(session.scalars(its))


def test_what_is_put_first_is_foretold_first(shop: Shop) -> None:
    first, second = campaign(shop, 5), campaign(shop, 3)
    assert (position(shop, first), position(shop, second)) == (1, 6)
    shop.post(f"/v1/campaigns/{second}/priority", {"priority": 5})
    assert (position(shop, first), position(shop, second)) == (4, 1)
    shop.post(f"/v1/jobs/{its_jobs(shop, first)[-1]}/priority", {"priority": 9})
    assert position(shop, second) == 2
    assert shop.get(f"/v1/jobs/{its_jobs(shop, first)[-1]}")["queue_position"] == 1


def test_claims_take_work_in_the_order_that_was_foretold(shop: Shop) -> None:
    ids = its_jobs(shop, campaign(shop, 40))
    random = Random(1)
    for job_id in random.sample(ids, 25):
        shop.post(f"/v1/jobs/{job_id}/priority", {"priority": random.randint(-3, 3)})
    foretold = {shop.get(f"/v1/jobs/{job_id}")["queue_position"]: job_id for job_id in ids}
    taken = []
    for _ in ids:
        with shop.desk.sessions.begin() as session:
            [row] = jobs.claim(
                session, Lane.CAMPAIGN, worker="w", limit=1, pixels=2**40, lease=60.0
            )
        taken.append(row.id)
    assert [foretold[place] for place in range(1, 41)] == taken


def test_a_place_is_found_among_priorities_without_counting_them(sessions: Sessions) -> None:
    with sessions.begin() as session:
        ground = new_ground(session)
        new_jobs(session, ground, 1_000)
        number = func.abs(func.hashtext(cast(Job.id, String)))
        mixed = case((number % 3 == 0, 0), else_=number % 100 - 50)
        session.execute(update(Job).values(priority=mixed))
    with sessions() as session:
        rows = session.execute(select(Job.priority, Job.id).order_by(Job.priority.desc(), Job.id))
        places = [Place(row.priority, row.id) for row in rows]
        line = backlog.lines(session)[Lane.CAMPAIGN][ground.tenant_id]
        assert len({place.priority for place in places}) > 20
        for before, place in enumerate(places):
            its = (Lane.CAMPAIGN, ground.tenant_id, line, place)
            assert backlog.before(session, *its) == before
            assert before - STRIDE < line.at_least(place) <= before


def test_what_no_claim_takes_is_in_nobodys_way(shop: Shop) -> None:
    paused, unpaid, late = campaign(shop, 2), campaign(shop, 3), campaign(shop, 4)
    last = campaign(shop, 1)
    assert position(shop, last) == 10
    with shop.desk.sessions.begin() as session:
        tenant_id = session.get_one(Campaign, paused).tenant_id
        control.pause(session, tenant_id, paused)
        session.execute(update(Job).where(Job.campaign_id == unpaid).values(unfunded=True))
        session.execute(update(Campaign).where(Campaign.id == unpaid).values(unfunded=3))
        session.execute(update(Job).where(Job.campaign_id == late).values(deadline_at=func.now()))
    assert position(shop, last) == 1
    for campaign_id in (paused, unpaid, late):
        shown = shop.get(f"/v1/campaigns/{campaign_id}")
        assert (shown["queue_position"], shown["eta_seconds"]) == (None, None)
        job = shop.get(f"/v1/jobs/{its_jobs(shop, campaign_id)[0]}")
        assert (job["queue_position"], job["eta_seconds"]) == (None, None)


def test_the_end_is_foretold_of_what_the_budget_has_room_for(shop: Shop) -> None:
    shop.post("/v1/campaigns", shop.campaign([(640, 480)] * 2))
    shop.serve()
    shop.tell()
    with shop.desk.sessions.begin() as session:  # a second for each picture
        session.execute(text("UPDATE paces SET busy_ms = 1000 * pictures"))
    whole = shop.post("/v1/campaigns", shop.campaign([(640, 480)] * 20))
    assert whole["eta_seconds"] == pytest.approx(20, abs=1)
    with shop.desk.sessions.begin() as session:
        most = its_jobs(shop, UUID(whole["id"]))[3:]
        session.execute(update(Job).where(Job.id.in_(most)).values(unfunded=True))
    assert shop.get(whole["urls"]["get"])["eta_seconds"] == pytest.approx(3, abs=1)
