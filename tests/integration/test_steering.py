"""Work that is paused, put first, tried again or given up, in the tables."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db import Sessions, control, deadlines, intake, jobs, ledger, lost, reviews
from app.db.jobs import Held, Success
from app.db.models import Campaign, EventRow, Job, LedgerEntry
from app.db.queue import waiting_lanes
from app.domain.events import EventType
from app.domain.job import JobStatus, Lane
from app.domain.review import Decision, Verdict
from app.errors import IllegalTransition, NotFound, UnknownStyle
from tests.integration.test_jobs import claim, history, job, succeed
from tests.rows import RESERVED, Ground, new_asset, new_campaign, new_ground, new_jobs

EVENTS = [kind.value for kind in EventType]
HOOK = {"url": "http://receiver.test/", "events": EVENTS}


@pytest.fixture
def ground(sessions: Sessions) -> Iterator[Ground]:
    with sessions.begin() as session:
        ground = new_ground(session)
    yield ground
    _check_sums(sessions)


def _check_sums(sessions: Sessions) -> None:
    """Whatever a test did: counts are those of the jobs, and closed rounds balance."""
    with sessions() as session:
        for campaign in session.scalars(select(Campaign)):
            of = select(func.count(Job.id)).where(Job.campaign_id == campaign.id)
            for status in JobStatus:
                if not status.open:
                    counted = session.scalar(of.where(Job.status == status))
                    assert getattr(campaign, status.value) == counted, status
            waiting = of.where(Job.status == JobStatus.QUEUED, Job.unfunded)
            assert campaign.unfunded == session.scalar(waiting)
        open_ones = select(func.sum(Job.reserved_micros)).where(
            Job.status.in_([JobStatus.QUEUED, JobStatus.RUNNING])
        )
        spent = select(func.sum(Job.cost_micros))
        booked = session.scalar(select(func.sum(LedgerEntry.amount_micros))) or 0
        assert booked == (session.scalar(open_ones) or 0) + (session.scalar(spent) or 0)


def fail(sessions: Sessions, rows: Any) -> None:
    with sessions.begin() as session:
        for row in rows:
            held = Held(row.id, row.attempt)
            jobs.break_off(session, held, UnknownStyle("gone"), failures=0, by="w")


def campaign(sessions: Sessions, campaign_id: UUID) -> Campaign:
    with sessions() as session:
        return session.get_one(Campaign, campaign_id)


def told(sessions: Sessions, kind: EventType) -> int:
    with sessions() as session:
        events = select(func.count(EventRow.id)).where(EventRow.type == kind)
        return session.scalar(events) or 0


def test_a_paused_campaign_is_out_of_every_claims_sight(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 6)
    running = claim(sessions, limit=2)
    for _ in range(2):  # twice is once
        with sessions.begin() as session:
            control.pause(session, ground.tenant_id, campaign_id)
    assert claim(sessions) == []
    with sessions() as session:
        assert waiting_lanes(session) == []
    assert len(succeed(sessions, ground, running)) == 2
    with sessions.begin() as session:
        assert control.resume(session, ground.tenant_id, campaign_id) == {Lane.CAMPAIGN}
        assert control.resume(session, ground.tenant_id, campaign_id) is None
    assert len(claim(sessions)) == 4


def test_what_comes_back_to_a_paused_campaign_is_paused(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 3)
    lost_one = claim(sessions, limit=1, lease=-1)
    given_back = claim(sessions, limit=1)
    with sessions.begin() as session:
        control.pause(session, ground.tenant_id, campaign_id)
        assert lost.rescue(session) == 1
        jobs.hand_back(session, [Held(row.id, row.attempt) for row in given_back], by="w")
    assert claim(sessions) == []
    assert claim(sessions, lane=Lane.SOLO) == []
    with sessions.begin() as session:
        lanes = control.resume(session, ground.tenant_id, campaign_id)
    assert lanes == {Lane.SOLO, Lane.CAMPAIGN}
    assert [row.id for row in claim(sessions, lane=Lane.SOLO)] == [lost_one[0].id]


def test_pausing_while_workers_claim_and_end_leaves_nothing_claimable(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 200)

    def steer(number: int) -> None:
        if number % 4 == 3:
            with sessions.begin() as session:
                control.resume(session, ground.tenant_id, campaign_id)
        with sessions.begin() as session:
            control.pause(session, ground.tenant_id, campaign_id)

    def work(number: int) -> None:
        rows = claim(sessions, worker=f"w{number}", limit=8)
        if number % 2:
            succeed(sessions, ground, rows)
            return
        with sessions.begin() as session:
            jobs.hand_back(session, [Held(row.id, row.attempt) for row in rows], by="w")

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(steer if n % 3 == 0 else work, n) for n in range(24)]
        for future in done:
            future.result()
    assert claim(sessions) == []
    assert campaign(sessions, campaign_id).paused_at is not None


def test_others_controls_find_nothing(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        stranger = new_ground(session, "other").tenant_id
        campaign_id = new_campaign(session, ground, 1)
        [job_id] = new_jobs(session, ground, 1)
    attempts: list[Callable[[Session], object]] = [
        lambda session: control.pause(session, stranger, campaign_id),
        lambda session: control.resume(session, stranger, campaign_id),
        lambda session: control.retry_failed(session, stranger, campaign_id),
        lambda session: control.prioritise_campaign(session, stranger, campaign_id, 1),
        lambda session: control.retry_job(session, stranger, job_id),
        lambda session: control.prioritise_job(session, stranger, job_id, 1),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound), sessions.begin() as session:
            attempt(session)
    assert len(claim(sessions)) == 2


def test_the_urgent_of_one_tenant_come_first_and_no_other_tenant_waits_for_it(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        other = new_ground(session, "other")
        usual = new_campaign(session, ground, 3)
        urgent = new_campaign(session, ground, 3)
        late = new_campaign(session, ground, 3)
        new_jobs(session, other, 3)
        control.prioritise_campaign(session, ground.tenant_id, urgent, 10)
        control.prioritise_campaign(session, ground.tenant_id, late, -10)
    first = claim(sessions, limit=4)
    assert [row.campaign_id for row in first if row.campaign_id] == [urgent, urgent]
    assert len([row for row in first if row.tenant_id == other.tenant_id]) == 2
    then = {row.campaign_id for row in claim(sessions, limit=3) if row.campaign_id}
    assert then == {urgent, usual}
    with sessions.begin() as session:
        [last] = session.scalars(select(Job.id).where(Job.campaign_id == late).limit(1))
        control.prioritise_job(session, ground.tenant_id, last, 5)
    assert claim(sessions, limit=1)[0].id == last


def test_a_claim_of_one_tenant_reads_the_index_in_its_order(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 2_000)
        new_jobs(session, ground, 2_000)
        control.pause(session, ground.tenant_id, campaign_id)
        session.execute(text("ANALYZE jobs"))
        plan = session.scalars(
            text("""EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off)
            SELECT id FROM jobs
            WHERE status = 'queued' AND NOT paused AND NOT unfunded AND lane = 'campaign'
              AND tenant_id = :tenant_id AND available_at <= now()
              AND (deadline_at IS NULL OR deadline_at > now())
            ORDER BY priority DESC, id LIMIT 64 FOR UPDATE SKIP LOCKED"""),
            {"tenant_id": ground.tenant_id},
        ).all()
    told = "\n".join(plan)
    assert "ix_jobs_waiting" in told
    assert "Sort" not in told
    assert "Rows Removed" not in told  # what is paused is not even looked at


def test_a_claim_does_not_read_what_runs_already(sessions: Sessions, ground: Ground) -> None:
    def fetched_by_a_claim() -> int:
        fetched = text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs'")
        with sessions.begin() as session:
            jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=64, pixels=10**9, lease=60)
            return int(session.scalar(fetched))

    with sessions.begin() as session:
        new_campaign(session, ground, 1_000)
    first = fetched_by_a_claim()
    claim(sessions, limit=600)
    assert fetched_by_a_claim() < 5 * first  # once it was 70 times: 64 jobs by all that ran


def test_failed_jobs_run_again_under_their_own_ids(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 5, HOOK)
    succeed(sessions, ground, claim(sessions, limit=3))
    failing = claim(sessions)
    fail(sessions, failing)
    assert campaign(sessions, campaign_id).finished_at is not None
    with sessions.begin() as session:
        moved = control.retry_failed(session, ground.tenant_id, campaign_id)
    assert {(row.id, row.lane) for row in moved} == {(row.id, Lane.CAMPAIGN) for row in failing}
    again = campaign(sessions, campaign_id)
    assert (again.finished_at, again.failed, again.succeeded, again.round) == (None, 0, 3, 2)
    rows = claim(sessions)
    assert {row.id for row in rows} == {row.id for row in failing}
    assert {(row.attempt, row.round) for row in rows} == {(2, 2)}
    assert succeed(sessions, ground, failing) == set()  # the attempt before holds nothing
    succeed(sessions, ground, rows)
    ended = campaign(sessions, campaign_id)
    assert (ended.succeeded, ended.failed, ended.cost_micros) == (5, 0, 5 * 70)
    assert told(sessions, EventType.CAMPAIGN_COMPLETED) == 2
    assert told(sessions, EventType.JOB_FAILED) == 2
    assert history(sessions, rows[0].id) == [
        *("queued", "running", "failed"),
        *("queued", "running", "succeeded"),
    ]
    with sessions() as session:
        assert ledger.balance(session, ground.tenant_id) == 5 * 70
        entries = session.scalars(
            select(LedgerEntry.kind)
            .where(LedgerEntry.job_id == rows[0].id)
            .order_by(LedgerEntry.id)
        )
        kinds = [kind.value for kind in entries]
    assert sorted(kinds[:2]) == ["release", "reserve"]
    assert kinds[2] == "reserve"
    assert sorted(kinds[3:]) == ["release", "settle"]


def test_a_job_may_fail_as_often_as_it_is_retried(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 1, HOOK)
    for round in range(1, 4):
        rows = claim(sessions)
        fail(sessions, rows)
        assert told(sessions, EventType.CAMPAIGN_COMPLETED) == round
        with sessions.begin() as session:
            control.retry_job(session, ground.tenant_id, rows[0].id)
    retried = job(sessions, rows[0].id)
    assert (retried.failures, retried.crashes, retried.error_code) == (0, 0, None)
    with sessions() as session:
        assert ledger.balance(session, ground.tenant_id) == RESERVED
    with sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, rows[0].id)
    assert campaign(sessions, campaign_id).canceled == 1


def test_what_is_retried_in_a_paused_campaign_waits(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 2)
    fail(sessions, claim(sessions, limit=1))
    with sessions.begin() as session:
        control.pause(session, ground.tenant_id, campaign_id)
        control.retry_failed(session, ground.tenant_id, campaign_id)
    assert claim(sessions) == []
    with sessions.begin() as session:
        control.resume(session, ground.tenant_id, campaign_id)
    assert len(claim(sessions)) == 2


def test_only_what_failed_or_expired_can_be_retried(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        done, waiting = new_jobs(session, ground, 2)
    succeed(sessions, ground, claim(sessions, limit=1))
    for job_id in (done, waiting):
        with pytest.raises(IllegalTransition), sessions.begin() as session:
            control.retry_job(session, ground.tenant_id, job_id)
    with sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, waiting)
    with pytest.raises(IllegalTransition), sessions.begin() as session:
        control.retry_job(session, ground.tenant_id, waiting)


def test_a_picture_that_never_came_is_not_tried_again(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        [job_id] = new_jobs(session, ground, 1, lane=Lane.FETCH)
        session.execute(text("UPDATE jobs SET content_digest = NULL, source = 'upload:1'"))
        jobs.refuse(session, [job_id], code="unknown-upload", detail="There is no such upload.")
    with pytest.raises(IllegalTransition, match="never arrived"), sessions.begin() as session:
        control.retry_job(session, ground.tenant_id, job_id)
    assert job(sessions, job_id).error_code == "unknown-upload"


def test_what_still_waits_at_its_deadline_expires_unbilled(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 3, HOOK)
    running = claim(sessions, limit=1)
    with sessions.begin() as session:
        session.execute(text("UPDATE jobs SET deadline_at = now()"))
    assert claim(sessions) == []  # also before the sweep has come
    with sessions.begin() as session:
        assert deadlines.expire(session) == 2
        assert deadlines.expire(session) == 0
    assert succeed(sessions, ground, running) == {running[0].id}
    ended = campaign(sessions, campaign_id)
    assert (ended.expired, ended.succeeded, ended.cost_micros) == (2, 1, 70)
    assert ended.finished_at is not None
    assert told(sessions, EventType.JOB_EXPIRED) == 2
    with sessions() as session:
        assert ledger.balance(session, ground.tenant_id) == 70
        [late] = session.scalars(select(Job).where(Job.status == JobStatus.EXPIRED).limit(1))
    assert (late.error_code, late.cost_micros) == ("deadline-exceeded", None)
    with sessions.begin() as session:
        control.retry_job(session, ground.tenant_id, late.id)
    assert [row.id for row in claim(sessions)] == [late.id]
    assert job(sessions, late.id).deadline_at is None


def test_an_expired_row_cannot_be_changed_by_hand(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
        session.execute(text("UPDATE jobs SET deadline_at = now()"))
        deadlines.expire(session)
    for change in ("priority = 3", "status = 'queued', finished_at = NULL"):
        with pytest.raises(Exception, match="final"), sessions.begin() as session:
            session.execute(text(f"UPDATE jobs SET {change}"))  # noqa: S608 - our own words


def bring_for_review(sessions: Sessions, ground: Ground, rows: Any) -> None:
    asset = new_asset(ground, "output")
    with sessions.begin() as session:
        intake.add_assets(session, [asset])
        done = [
            Success(Held(row.id, row.attempt), asset.digest, 70, "{}", review=n % 2 == 0)
            for n, row in enumerate(rows)
        ]
        assert len(jobs.succeed(session, done, by="w")) == len(rows)


def test_a_reviewed_campaign_ends_with_its_last_verdict(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 4, HOOK)
    rows = claim(sessions)
    bring_for_review(sessions, ground, rows)
    pending = campaign(sessions, campaign_id)
    assert (pending.in_review, pending.succeeded, pending.finished_at) == (2, 2, None)
    assert pending.cost_micros == 4 * 70  # it was made
    assert (told(sessions, EventType.JOB_IN_REVIEW), told(sessions, EventType.JOB_SUCCEEDED)) == (
        2,
        2,
    )
    yes = Verdict(decision=Decision.APPROVE)
    no = Verdict(decision=Decision.REJECT, reason_code="off-brand", note="Too blue.")
    with sessions.begin() as session:
        reviews.decide(session, ground.tenant_id, rows[0].id, yes, by="key:a")
    assert campaign(sessions, campaign_id).finished_at is None
    with sessions.begin() as session:
        reviews.decide(session, ground.tenant_id, rows[2].id, no, by="key:b")
    ended = campaign(sessions, campaign_id)
    assert (ended.in_review, ended.succeeded, ended.rejected) == (0, 3, 1)
    assert (ended.cost_micros, ended.finished_at is not None) == (4 * 70, True)
    kinds = (EventType.JOB_REVIEWED, EventType.JOB_REJECTED, EventType.CAMPAIGN_COMPLETED)
    assert [told(sessions, kind) for kind in kinds] == [2, 1, 1]
    with sessions() as session:
        assert ledger.balance(session, ground.tenant_id) == 4 * 70
        last = session.scalars(text("SELECT note FROM job_history WHERE worker = 'key:b'")).one()
        sequences = session.scalars(
            select(EventRow.sequence).where(EventRow.job_id == rows[2].id).order_by(EventRow.id)
        ).all()
    assert last == "rejected: off-brand: Too blue."
    assert list(sequences) == sorted(set(sequences))


def test_two_reviewers_cannot_both_decide(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 1, HOOK)
    [row] = claim(sessions)
    bring_for_review(sessions, ground, [row])
    verdicts = [
        Verdict(decision=Decision.APPROVE),
        Verdict(decision=Decision.REJECT, reason_code="off-brand"),
    ] * 4

    def decide(verdict: Verdict) -> bool:
        try:
            with sessions.begin() as session:
                reviews.decide(session, ground.tenant_id, row.id, verdict, by="key:a")
        except IllegalTransition:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(decide, verdicts)) == 1
    assert campaign(sessions, campaign_id).finished_at is not None
    assert told(sessions, EventType.JOB_REVIEWED) == 1


def test_withdrawing_a_campaign_leaves_what_awaits_review(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 3)
    bring_for_review(sessions, ground, claim(sessions, limit=1))
    with sessions.begin() as session:
        assert jobs.cancel_campaign(session, campaign_id) == 2
    kept = campaign(sessions, campaign_id)
    assert (kept.canceled, kept.in_review, kept.finished_at) == (2, 1, None)
