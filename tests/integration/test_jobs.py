"""The life of a job in the table: claims, fences, rescues, and what follows from each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, func, select, text
from sqlalchemy.exc import IntegrityError

from app.db import Sessions, campaigns, intake, jobs, ledger, lost
from app.db.jobs import Held, Success
from app.db.models import Campaign, Delivery, EventRow, Job, JobHistory, LedgerEntry
from app.domain.events import EventType
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane
from app.errors import IllegalTransition, NotFound, StorageUnavailable, UnknownStyle
from tests.rows import RESERVED, Ground, new_asset, new_campaign, new_ground, new_jobs
from workers.shares import Shares, taken

HOOK = {"url": "http://receiver.test/", "events": ["job.succeeded", "campaign.completed"]}


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def claim(
    sessions: Sessions,
    *,
    worker: str = "w",
    lane: Lane = Lane.CAMPAIGN,
    limit: int = 100,
    pixels: int = 10**9,
    lease: float = 60,
    crashes: int = MAX_SOLO_CRASHES,
    most_each: int = 10**9,
    ahead: Mapping[UUID, float] = jobs.NOBODY,
) -> Sequence[Row[Any]]:
    wanted: dict[str, Any] = {"limit": limit, "pixels": pixels, "most_each": most_each}
    wanted["ahead"] = ahead
    with sessions.begin() as session:
        return jobs.claim(session, lane, worker=worker, lease=lease, crashes=crashes, **wanted)


def succeed(sessions: Sessions, ground: Ground, rows: Sequence[Row[Any]]) -> set[UUID]:
    asset = new_asset(ground, "output")
    with sessions.begin() as session:
        intake.add_assets(session, [asset])
        done = [Success(Held(row.id, row.attempt), asset.digest, 70, "{}") for row in rows]
        return jobs.succeed(session, done, by="w")


def job(sessions: Sessions, job_id: UUID) -> Job:
    with sessions() as session:
        return session.get_one(Job, job_id)


def history(sessions: Sessions, job_id: UUID) -> list[str]:
    with sessions() as session:
        lines = select(JobHistory.status).where(JobHistory.job_id == job_id)
        return [status.value for status in session.scalars(lines.order_by(JobHistory.id))]


def test_many_racing_claims_never_share_a_job(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        ids = new_jobs(session, ground, 200)
    with ThreadPoolExecutor(8) as pool:
        groups = pool.map(lambda n: claim(sessions, worker=f"w{n}", limit=25), range(16))
        taken = [row.id for group in groups for row in group]
    assert sorted(taken) == sorted(ids)


def test_a_claim_takes_the_oldest_first_and_stops_at_its_pixels(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        ids = new_jobs(session, ground, 5, pixels=100)
    assert [row.id for row in claim(sessions, pixels=250)] == ids[:3]
    assert len(claim(sessions, pixels=1)) == 1


def test_a_job_larger_than_a_claim_comes_alone(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        small = new_jobs(session, ground, 2, pixels=100)
        large = new_jobs(session, ground, 1, pixels=10_000)
        after = new_jobs(session, ground, 1, pixels=100)
    assert [row.id for row in claim(sessions, pixels=1_000)] == small
    assert [row.id for row in claim(sessions, pixels=1_000)] == large
    assert [row.id for row in claim(sessions, pixels=1_000)] == after


def test_a_claim_leaves_what_is_too_large_for_it(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        large = new_jobs(session, ground, 1, pixels=10_000)
        small = new_jobs(session, ground, 1, pixels=100)
    assert [row.id for row in claim(sessions, most_each=1_000)] == small
    assert claim(sessions, most_each=1_000) == []
    assert [row.id for row in claim(sessions)] == large


def test_a_claim_is_fair_between_tenants(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        other = new_ground(session, "other")
        new_jobs(session, ground, 50)
        new_jobs(session, other, 3)
    shares = Counter(row.tenant_id for row in claim(sessions, limit=6))
    assert shares == {ground.tenant_id: 3, other.tenant_id: 3}


@pytest.mark.parametrize("seed", range(6))
def test_the_database_takes_what_the_policy_takes(
    sessions: Sessions, ground: Ground, seed: int
) -> None:
    random = Random(seed)
    with sessions.begin() as session:
        grounds = [ground, *(new_ground(session, f"other {n}") for n in range(4))]
        for _ in range(60):
            pixels = random.choice([100, 900, 4_000, 20_000])
            new_jobs(session, random.choice(grounds), 1, pixels=pixels)
        ahead = {one.tenant_id: float(random.randint(0, 9_000)) for one in grounds[::2]}
        lines: dict[UUID, list[tuple[UUID, float]]] = {}
        for row in session.scalars(select(Job).order_by(Job.id)):
            lines.setdefault(row.tenant_id, []).append((row.id, row.pixels))
    foreseen = taken(lines, ahead, most_jobs=20, most_cost=15_000)
    rows = claim(sessions, limit=20, pixels=15_000, ahead=ahead)
    assert Counter((row.tenant_id, row.pixels) for row in rows) == Counter(foreseen)


def test_claims_of_one_job_serve_tenants_in_turn(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 5)
        other = new_ground(session, "other")
        new_jobs(session, other, 5)
    shares: Shares[UUID] = Shares()
    turns = []
    for _ in range(4):
        [row] = claim(sessions, limit=1, ahead=shares.ahead())
        shares.claimed([(row.tenant_id, float(row.pixels))])
        turns.append(row.tenant_id)
    assert turns == [ground.tenant_id, other.tenant_id] * 2


def test_lanes_do_not_mix(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1, lane=Lane.CAMPAIGN)
    assert claim(sessions, lane=Lane.INTERACTIVE) == []


def test_a_claimed_job_is_held_and_counted(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        (job_id,) = new_jobs(session, ground, 1)
    claim(sessions, worker="me")
    held = job(sessions, job_id)
    assert (held.status, held.attempt, held.worker) == (JobStatus.RUNNING, 1, "me")
    assert history(sessions, job_id) == ["queued", "running"]


def test_success_settles_what_was_reserved(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        (job_id,) = new_jobs(session, ground, 1)
        assert ledger.balance(session, ground.tenant_id) == RESERVED
    succeed(sessions, ground, claim(sessions))
    with sessions() as session:
        assert ledger.balance(session, ground.tenant_id) == 70
        kinds = session.scalars(select(LedgerEntry.kind).where(LedgerEntry.job_id == job_id))
        assert sorted(kinds) == ["release", "reserve", "settle"]
    assert history(sessions, job_id) == ["queued", "running", "succeeded"]


def test_a_late_answer_after_a_rescue_is_refused(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        (job_id,) = new_jobs(session, ground, 1)
    zombie = claim(sessions, worker="zombie", lease=-1)
    with sessions.begin() as session:
        assert lost.rescue(session) == 1
    fresh = claim(sessions, worker="fresh", lane=Lane.SOLO)
    assert succeed(sessions, ground, zombie) == set()
    assert succeed(sessions, ground, fresh) == {job_id}
    assert job(sessions, job_id).attempt == 2


def test_a_canceled_job_refuses_its_late_answer(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        (job_id,) = new_jobs(session, ground, 1)
    rows = claim(sessions)
    with sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, job_id)
    assert succeed(sessions, ground, rows) == set()
    with sessions() as session:
        assert ledger.balance(session, ground.tenant_id) == 0


def test_a_finished_job_cannot_be_canceled(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        (job_id,) = new_jobs(session, ground, 1)
    succeed(sessions, ground, claim(sessions))
    with pytest.raises(IllegalTransition), sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, job_id)


def test_another_tenants_job_does_not_exist(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        other = new_ground(session, "other")
        (job_id,) = new_jobs(session, ground, 1)
    with sessions() as session, pytest.raises(NotFound):
        jobs.get(session, other.tenant_id, job_id)
    with pytest.raises(NotFound), sessions.begin() as session:
        jobs.cancel(session, other.tenant_id, job_id)


def test_a_finished_row_cannot_be_changed_by_hand(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
    succeed(sessions, ground, claim(sessions))
    with pytest.raises(IntegrityError, match="final"), sessions.begin() as session:
        session.execute(text("UPDATE jobs SET cost_micros = 0"))


def test_a_live_lease_is_not_rescued(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
    claim(sessions, lease=60)
    with sessions.begin() as session:
        assert lost.rescue(session) == 0


def test_a_renewed_lease_names_what_was_lost(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        ids = new_jobs(session, ground, 2)
    held = [Held(row.id, row.attempt) for row in claim(sessions)]
    with sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, ids[0])
    with sessions.begin() as session:
        assert jobs.renew(session, held, ["draw", "draw"], lease=60) == {ids[1]}
    assert job(sessions, ids[1]).stage == "draw"


def test_poison_is_quarantined_after_three_attempts_alone(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        poison, mate = new_jobs(session, ground, 2)
    for lane in (Lane.CAMPAIGN, Lane.SOLO):  # first in their lane, then suspects together
        claim(sessions, lane=lane, lease=-1)
        with sessions.begin() as session:
            assert lost.rescue(session) == 2
    for _ in range(3):
        with sessions.begin() as session:
            session.execute(text("UPDATE jobs SET available_at = now() WHERE status = 'queued'"))
        (row,) = claim(sessions, lane=Lane.SOLO, limit=1, lease=-1)
        assert row.id == poison
        with sessions.begin() as session:
            lost.rescue(session)
    assert job(sessions, poison).error_code == "quarantined"
    rows = claim(sessions, lane=Lane.SOLO)
    assert succeed(sessions, ground, rows) == {mate}


def test_suspects_that_killed_nobody_are_claimed_apart_from_those_that_did(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        worse, fresh = new_jobs(session, ground, 2, lane=Lane.SOLO)
        session.execute(text("UPDATE jobs SET crashes = 1 WHERE id = :id"), {"id": worse})
    assert [row.id for row in claim(sessions, lane=Lane.SOLO, crashes=0)] == [fresh]
    assert [row.id for row in claim(sessions, lane=Lane.SOLO)] == [worse]


def test_a_row_that_a_frozen_worker_has_locked_does_not_hold_up_the_sweep(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        locked, free = new_jobs(session, ground, 2)
    claim(sessions, lease=-1)
    with sessions() as frozen, sessions.begin() as session:
        frozen.execute(text("SELECT FROM jobs WHERE id = :id FOR UPDATE"), {"id": locked})
        assert lost.rescue(session) == 1
    assert job(sessions, free).status is JobStatus.QUEUED
    with sessions.begin() as session:
        assert lost.rescue(session) == 1


def test_a_retryable_failure_rests_and_then_gives_up(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        (job_id,) = new_jobs(session, ground, 1)
    seen = []
    for failures in range(5):
        with sessions.begin() as session:
            session.execute(text("UPDATE jobs SET available_at = now()"))
        (row,) = claim(sessions)
        with sessions.begin() as session:
            held = Held(row.id, row.attempt)
            error = StorageUnavailable("away")
            seen.append(jobs.break_off(session, held, error, failures=failures, by="w"))
    assert seen == [JobStatus.QUEUED] * 4 + [JobStatus.FAILED]
    assert job(sessions, job_id).error_code == "storage-unavailable"


def test_a_resting_job_is_not_claimed(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
    (row,) = claim(sessions)
    with sessions.begin() as session:
        held = Held(row.id, row.attempt)
        jobs.break_off(session, held, StorageUnavailable("away"), failures=0, by="w")
    assert claim(sessions) == []


def test_a_clients_error_fails_at_once(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
    (row,) = claim(sessions)
    with sessions.begin() as session:
        held = Held(row.id, row.attempt)
        to = jobs.break_off(session, held, UnknownStyle("gone"), failures=0, by="w")
    assert to is JobStatus.FAILED


def test_work_handed_back_is_queued_at_once(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 3)
    held = [Held(row.id, row.attempt) for row in claim(sessions)]
    with sessions.begin() as session:
        assert jobs.hand_back(session, held, by="w") == 3
    assert len(claim(sessions)) == 3


def test_the_last_of_many_racing_groups_completes_the_campaign_once(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 60, HOOK)
    groups = [claim(sessions, limit=4) for _ in range(15)]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda rows: succeed(sessions, ground, rows), groups))
    with sessions() as session:
        campaign = campaigns.get(session, ground.tenant_id, campaign_id)
        assert (campaign.succeeded, campaign.cost_micros) == (60, 60 * 70)
        assert campaign.finished_at is not None
        kinds = Counter(session.scalars(select(EventRow.type)))
        assert kinds == {EventType.CAMPAIGN_COMPLETED: 1, EventType.JOB_SUCCEEDED: 60}
        assert session.scalar(select(func.count(Delivery.id))) == 61


def test_canceling_a_campaign_keeps_what_is_finished(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 10)
    succeed(sessions, ground, claim(sessions, limit=4))
    claim(sessions, limit=2)
    with sessions.begin() as session:
        assert jobs.cancel_campaign(session, campaign_id) == 6
    with sessions() as session:
        campaign = session.get_one(Campaign, campaign_id)
        counts = (campaign.succeeded, campaign.canceled, campaign.failed)
    assert counts == (4, 6, 0)
    assert campaign.finished_at is not None


@pytest.mark.parametrize(
    "change",
    [
        "status = 'succeeded'",
        "status = 'failed', finished_at = now()",
        "status = 'running'",
        "finished_at = now()",
        "status = 'odd'",
    ],
)
def test_the_table_refuses_what_must_never_be(
    sessions: Sessions, ground: Ground, change: str
) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text(f"UPDATE jobs SET {change}"))  # noqa: S608 - our own words
