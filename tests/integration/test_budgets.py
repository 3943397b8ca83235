"""Campaigns with a budget: what it pays for is done, what it does not is never begun."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.db import Sessions, budgets, control, intake, jobs, moves
from app.db.jobs import Held, Success
from app.db.models import Campaign, EventRow, Job
from app.db.moves import settle_budget
from app.domain.events import EventType
from app.domain.ids import new_id
from app.domain.job import JobStatus, Lane
from app.domain.parameters import Parameters
from app.errors import UnknownStyle
from tests.integration.test_jobs import claim
from tests.integration.test_steering import HOOK, campaign, told
from tests.rows import Ground, new_asset, new_ground, planned

PRICE = 1_000  #: what each job is expected to cost


@pytest.fixture
def ground(sessions: Sessions) -> Iterator[Ground]:
    with sessions.begin() as session:
        ground = new_ground(session)
    yield ground
    with sessions() as session:  # whatever a test did: the money is where the jobs are
        for kept in session.scalars(select(Campaign)):
            its = list(session.scalars(select(Job).where(Job.campaign_id == kept.id)))
            under_way = [job for job in its if job.status.open and not job.unfunded]
            assert kept.allotted_micros == sum(job.reserved_micros for job in under_way)
            waiting = [job for job in its if job.status is JobStatus.QUEUED and job.unfunded]
            assert kept.unfunded == len(waiting)
            assert kept.cost_micros == sum(job.cost_micros or 0 for job in its)
            assert kept.cost_micros + kept.allotted_micros <= (kept.budget_micros or 0)


def begin(
    sessions: Sessions,
    ground: Ground,
    amount: int,
    budget: int,
    *,
    price: int = PRICE,
    lane: Lane = Lane.CAMPAIGN,
) -> UUID:
    """A campaign as `app.submission` accepts one."""
    with sessions.begin() as session:
        its = Campaign(
            id=new_id(),
            tenant_id=ground.tenant_id,
            name="spring",
            style_version_id=ground.style_version_id,
            parameters=Parameters().model_dump(mode="json"),
            webhook=HOOK,
            total=amount,
            budget_micros=budget,
        )
        session.add(its)
        session.flush()
        rows = budgets.share_out(its, planned(session, ground, amount, price=price, lane=lane))
        session.flush()
        intake.add_jobs(
            session,
            rows,
            tenant_id=ground.tenant_id,
            campaign_id=its.id,
            webhook=HOOK,
            rate_card="test",
        )
        settle_budget(session, its)
        return its.id


def settle(sessions: Sessions, ground: Ground, rows: Any, cost: int = PRICE) -> int:
    asset = new_asset(ground, "output")
    with sessions.begin() as session:
        intake.add_assets(session, [asset])
        done = [Success(Held(row.id, row.attempt), asset.digest, cost, "{}") for row in rows]
        return len(jobs.succeed(session, done, by="w"))


def test_no_more_is_claimed_than_the_budget_pays_for(sessions: Sessions, ground: Ground) -> None:
    campaign_id = begin(sessions, ground, 10, 4 * PRICE)
    rows = claim(sessions)
    assert len(rows) == 4
    settle(sessions, ground, rows)
    ended = campaign(sessions, campaign_id)
    assert (ended.succeeded, ended.failed, ended.cost_micros) == (4, 6, 4 * PRICE)
    assert ended.finished_at is not None
    assert told(sessions, EventType.CAMPAIGN_COMPLETED) == 1
    assert told(sessions, EventType.CAMPAIGN_BUDGET) == 1
    with sessions() as session:
        codes = set(session.scalars(select(Job.error_code).where(Job.status == JobStatus.FAILED)))
    assert codes == {"budget-exceeded"}


def test_what_costs_less_than_expected_makes_room(sessions: Sessions, ground: Ground) -> None:
    campaign_id = begin(sessions, ground, 10, 4 * PRICE)
    settle(sessions, ground, claim(sessions), cost=PRICE // 2)
    assert campaign(sessions, campaign_id).unfunded == 4
    settle(sessions, ground, claim(sessions), cost=PRICE // 2)
    settle(sessions, ground, claim(sessions), cost=PRICE // 2)
    settle(sessions, ground, claim(sessions), cost=PRICE // 2)
    ended = campaign(sessions, campaign_id)
    assert (ended.succeeded, ended.failed) == (7, 3)
    assert ended.cost_micros == 7 * PRICE // 2
    assert ended.finished_at is not None


def test_a_budget_below_the_first_job_ends_at_once(sessions: Sessions, ground: Ground) -> None:
    campaign_id = begin(sessions, ground, 3, PRICE - 1)
    assert claim(sessions) == []
    ended = campaign(sessions, campaign_id)
    assert (ended.failed, ended.cost_micros, ended.finished_at is not None) == (3, 0, True)
    assert told(sessions, EventType.CAMPAIGN_BUDGET) == 1


def test_the_owner_is_told_once_at_four_fifths(sessions: Sessions, ground: Ground) -> None:
    begin(sessions, ground, 10, 10 * PRICE)
    settle(sessions, ground, claim(sessions, limit=7))
    assert told(sessions, EventType.CAMPAIGN_BUDGET) == 0
    settle(sessions, ground, claim(sessions, limit=1))
    assert told(sessions, EventType.CAMPAIGN_BUDGET) == 1
    settle(sessions, ground, claim(sessions))
    assert told(sessions, EventType.CAMPAIGN_BUDGET) == 1
    with sessions() as session:
        order = [
            event.type.value
            for event in session.scalars(select(EventRow).order_by(EventRow.id))
            if event.job_id is None and event.type is not EventType.CAMPAIGN_PROGRESS
        ]
    assert order == ["campaign.budget", "campaign.completed"]


def test_racing_workers_never_spend_more_than_the_budget(
    sessions: Sessions, ground: Ground
) -> None:
    campaign_id = begin(sessions, ground, 120, 50 * PRICE)

    def work(number: int) -> None:
        while rows := claim(sessions, worker=f"w{number}", limit=7):
            settle(sessions, ground, rows, cost=PRICE - 100 * (number % 3))

    with ThreadPoolExecutor(5) as pool:
        for future in [pool.submit(work, n) for n in range(5)]:
            future.result()
    work(0)  # what the last settlement let in after the others had left
    ended = campaign(sessions, campaign_id)
    assert ended.finished_at is not None
    assert ended.succeeded >= 50
    assert 49 * PRICE < ended.cost_micros <= 50 * PRICE


def test_what_fails_gives_its_share_back(sessions: Sessions, ground: Ground) -> None:
    campaign_id = begin(sessions, ground, 4, 2 * PRICE)
    rows = claim(sessions)
    with sessions.begin() as session:
        for row in rows:
            held = Held(row.id, row.attempt)
            jobs.break_off(session, held, UnknownStyle("gone"), failures=0, by="w")
    settle(sessions, ground, claim(sessions))
    ended = campaign(sessions, campaign_id)
    assert (ended.succeeded, ended.failed, ended.finished_at is not None) == (2, 2, True)


def test_what_is_retried_is_paid_for_like_anything_else(sessions: Sessions, ground: Ground) -> None:
    campaign_id = begin(sessions, ground, 4, 2 * PRICE)
    settle(sessions, ground, claim(sessions), cost=PRICE // 4)
    settle(sessions, ground, claim(sessions), cost=PRICE)
    assert campaign(sessions, campaign_id).failed == 1  # 500 are left, not 1,000
    with sessions.begin() as session:
        control.retry_failed(session, ground.tenant_id, campaign_id)
    assert claim(sessions) == []
    ended = campaign(sessions, campaign_id)
    assert (ended.failed, ended.finished_at is not None) == (1, True)
    with sessions.begin() as session:
        control.set_budget(session, ground.tenant_id, campaign_id, 3 * PRICE)
        control.retry_failed(session, ground.tenant_id, campaign_id)
    settle(sessions, ground, claim(sessions))
    assert campaign(sessions, campaign_id).succeeded == 4
    assert told(sessions, EventType.CAMPAIGN_COMPLETED) == 3
    assert told(sessions, EventType.CAMPAIGN_BUDGET) == 1


def test_a_larger_budget_lets_in_at_once_and_a_smaller_one_ends_the_rest(
    sessions: Sessions, ground: Ground
) -> None:
    campaign_id = begin(sessions, ground, 6, 2 * PRICE)
    with sessions.begin() as session:
        control.set_budget(session, ground.tenant_id, campaign_id, 4 * PRICE)
    rows = claim(sessions)
    assert len(rows) == 4
    settle(sessions, ground, rows[:3], cost=0)
    with sessions.begin() as session:  # what was let in by then stays in
        control.set_budget(session, ground.tenant_id, campaign_id, 3 * PRICE)
    settle(sessions, ground, [*rows[3:], *claim(sessions)], cost=PRICE)
    assert campaign(sessions, campaign_id).cost_micros == 3 * PRICE


def test_a_withdrawn_campaign_withdraws_also_what_was_not_paid_for(
    sessions: Sessions, ground: Ground
) -> None:
    campaign_id = begin(sessions, ground, 6, 2 * PRICE)
    with sessions.begin() as session:
        assert jobs.cancel_campaign(session, campaign_id) == 6
    assert campaign(sessions, campaign_id).canceled == 6


def test_the_sweep_lets_in_what_a_settlement_found_locked(
    sessions: Sessions, ground: Ground
) -> None:
    campaign_id = begin(sessions, ground, 2, PRICE)
    rows = claim(sessions)
    with sessions() as other:
        other.execute(text("SELECT FROM jobs WHERE unfunded FOR UPDATE"))
        settle(sessions, ground, rows, cost=0)
    waiting = campaign(sessions, campaign_id)
    assert (waiting.unfunded, waiting.finished_at) == (1, None)
    assert claim(sessions) == []
    with sessions.begin() as session:
        moves.settle_budgets(session)
    settle(sessions, ground, claim(sessions), cost=0)
    assert campaign(sessions, campaign_id).succeeded == 2


@pytest.mark.parametrize(("budget", "waits"), [(3 * PRICE, False), (PRICE // 2, True)])
def test_a_fetched_picture_is_paid_for_by_its_size(
    sessions: Sessions, ground: Ground, budget: int, waits: bool
) -> None:
    campaign_id = begin(sessions, ground, 1, budget, lane=Lane.FETCH, price=20)
    [row] = claim(sessions, lane=Lane.FETCH)
    with sessions.begin() as session:
        [fetched] = jobs.fetched(
            session,
            Held(row.id, row.attempt),
            content_digest=row.content_digest,
            pixels=4096,
            key="k",
        )
        its = budgets.locked(session, campaign_id)
        assert its is not None
        budgets.resize(session, its, fetched, PRICE)
        settle_budget(session, its)
    ended = campaign(sessions, campaign_id)
    assert (ended.failed, ended.allotted_micros) == ((1, 0) if waits else (0, PRICE))
