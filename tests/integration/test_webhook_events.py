"""Who is told what: events and deliveries, written with what they tell of."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, event, select, text

from app.db import Sessions, control, endpoints, events, expiries, jobs, ledger, reviews
from app.db.models import Campaign, Delivery, DisabledBecause, EventRow, Job
from app.domain.events import MAX_BODY, Event, EventType
from app.domain.job import JobStatus, Lane
from app.domain.review import Decision, Verdict
from app.errors import ImpastoError
from tests.licensed import in_days, new_style
from tests.rows import Ground, new_asset, new_campaign, new_ground, new_jobs

HOOK = {"url": "http://receiver.test/", "events": ["job.succeeded", "campaign.completed"]}


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def listen(sessions: Sessions, ground: Ground, *events: EventType, url: str = "http://e/") -> UUID:
    """An endpoint that wants these kinds of events, or all."""
    with sessions.begin() as session:
        wanted = sorted(events) or None
        return endpoints.create(session, ground.tenant_id, url=url, events=wanted)


def claim(sessions: Sessions, amount: int, lane: Lane = Lane.CAMPAIGN) -> Sequence[Row[Any]]:
    with sessions.begin() as session:
        return jobs.claim(session, lane, worker="w", limit=amount, pixels=10**9, lease=60)


def succeed(sessions: Sessions, ground: Ground, rows: Sequence[Row[Any]]) -> None:
    asset = new_asset(ground, "content")
    ended = [jobs.Success(jobs.Held(row.id, row.attempt), asset.digest, 70, "{}") for row in rows]
    with sessions.begin() as session:
        jobs.succeed(session, ended, by="w")


def told(sessions: Sessions) -> Counter[tuple[str, str]]:
    """How often which event goes where."""
    statement = select(EventRow.type, Delivery.url).join(Delivery, Delivery.event_id == EventRow.id)
    with sessions() as session:
        return Counter((kind.value, url) for kind, url in session.execute(statement))


def events_of(sessions: Sessions, **where: Any) -> Sequence[EventRow]:
    with sessions() as session:
        return session.scalars(select(EventRow).filter_by(**where).order_by(EventRow.id)).all()


@contextmanager
def statements(sessions: Sessions) -> Iterator[list[str]]:
    """What was asked of the database meanwhile."""
    seen: list[str] = []

    def note(*given: Any) -> None:
        seen.append(given[2])

    engine = sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_each_endpoint_hears_what_it_asked_for_and_the_works_own_url_too(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground, url="http://all/")
    listen(sessions, ground, EventType.JOB_SUCCEEDED, url="http://good/")
    listen(sessions, ground, EventType.CAMPAIGN_COMPLETED, EventType.JOB_FAILED, url="http://end/")
    with sessions.begin() as session:
        new_campaign(session, ground, 3, HOOK)
    succeed(sessions, ground, claim(sessions, 3))
    assert told(sessions) == {
        ("job.started", "http://all/"): 3,
        ("job.succeeded", "http://all/"): 3,
        ("job.succeeded", "http://good/"): 3,
        ("job.succeeded", "http://receiver.test/"): 3,
        ("campaign.completed", "http://all/"): 1,
        ("campaign.completed", "http://end/"): 1,
        ("campaign.completed", "http://receiver.test/"): 1,
    }


def test_one_event_has_one_id_whoever_hears_of_it(sessions: Sessions, ground: Ground) -> None:
    listen(sessions, ground, EventType.JOB_CANCELED)
    with sessions.begin() as session:
        hook = {"url": "http://receiver.test/", "events": ["job.canceled"]}
        [job_id] = new_jobs(session, ground, 1, webhook=hook)
        jobs.cancel(session, ground.tenant_id, job_id)
    assert len(events_of(sessions)) == 1
    assert told(sessions).total() == 2


def test_other_tenants_and_disabled_endpoints_hear_nothing(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        other = new_ground(session, "other")
    listen(sessions, other)
    for because in DisabledBecause:
        endpoint_id = listen(sessions, ground, EventType.JOB_CANCELED)
        with sessions.begin() as session:
            its = endpoints.get(session, ground.tenant_id, endpoint_id)
            endpoints.disable(session, its, because)
    with sessions.begin() as session:
        [job_id] = new_jobs(session, ground, 1)
        jobs.cancel(session, ground.tenant_id, job_id)
    assert told(sessions) == {}
    assert events_of(sessions) == []


@pytest.mark.parametrize(("endpoints_", "more"), [(0, 0), (1, 1), (3, 1)])
def test_telling_of_a_group_is_one_statement_and_silence_is_none(
    sessions: Sessions, ground: Ground, endpoints_: int, more: int
) -> None:
    for _ in range(endpoints_):
        listen(sessions, ground, EventType.JOB_SUCCEEDED, EventType.CAMPAIGN_PROGRESS)
    with sessions.begin() as session:
        new_campaign(session, ground, 70)
    with statements(sessions) as claimed:
        rows = claim(sessions, 64)
    with statements(sessions) as settled:
        succeed(sessions, ground, rows)
    assert len(claimed) == 1, "nobody listens to job.started"
    # The move, the ledger, the campaign; then what the jobs tell, and what the campaign does.
    assert len(settled) == 3 + 2 * more
    assert told(sessions).total() == endpoints_ * 65


def test_the_numbers_of_a_jobs_events_only_grow(sessions: Sessions, ground: Ground) -> None:
    listen(sessions, ground)
    with sessions.begin() as session:
        [job_id] = new_jobs(session, ground, 1)
    for _ in range(3):
        [row] = claim(sessions, 1)
        held = jobs.Held(row.id, row.attempt)
        with sessions.begin() as session:
            jobs.renew(session, [held], ["decode"], lease=60)
        with sessions.begin() as session:
            jobs.hand_back(session, [held], by="w")
    [row] = claim(sessions, 1)
    held = jobs.Held(row.id, row.attempt)
    with sessions.begin() as session:
        assert jobs.break_off(session, held, ImpastoError("no"), failures=0, by="w")
    its = events_of(sessions, job_id=job_id)
    assert [one.type for one in its] == [EventType.JOB_STARTED] * 4 + [EventType.JOB_FAILED]
    numbers = [one.sequence for one in its]
    assert numbers == sorted(set(numbers))
    with sessions() as session:
        assert session.get_one(Job, job_id).version == numbers[-1] // 2


def test_the_largest_metadata_and_reason_fit_and_say_that_they_were_cut(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground)
    numbers = [1e300] * 600  # four characters each; three hundred, once Postgres kept them
    with sessions.begin() as session:
        ids = new_jobs(session, ground, 2)
        large: list[dict[str, Any]] = [{"a": "💐" * 4_000}, {"n": numbers}]
        for job_id, metadata in zip(ids, large, strict=True):
            session.get_one(Job, job_id).metadata_ = metadata
    with sessions.begin() as session:
        jobs.refuse(session, ids, code="invalid-image", detail="\x01💐" * 1_000)
    for one in events_of(sessions):
        data = one.data | {"sequence": one.sequence}
        body = Event(id=one.id, type=one.type, timestamp=one.created_at, data=data).body()
        assert len(body.encode()) <= MAX_BODY
        assert one.data["truncated"] == ["metadata"]
        assert one.data["job_id"] == str(one.job_id)
        assert one.data["error_detail"].startswith("\x01💐")


def test_metadata_and_reason_travel_along(sessions: Sessions, ground: Ground) -> None:
    listen(sessions, ground)
    with sessions.begin() as session:
        [job_id] = new_jobs(session, ground, 1)
        session.get_one(Job, job_id).metadata_ = {"sku": "4711"}
    with sessions.begin() as session:
        jobs.refuse(session, [job_id], code="invalid-image", detail="Truncated.")
    [one] = events_of(sessions)
    assert one.data["metadata"] == {"sku": "4711"}
    assert (one.data["error_code"], one.data["error_detail"]) == ("invalid-image", "Truncated.")


def rest(sessions: Sessions, campaign_id: UUID, seconds: float) -> None:
    """As if its last progress were so many seconds old."""
    with sessions.begin() as session:
        session.execute(
            text("UPDATE campaigns SET told_at = now() - make_interval(secs => :s) WHERE id = :id"),
            {"s": seconds, "id": str(campaign_id)},
        )


def test_progress_is_told_by_the_percent_and_not_within_five_seconds(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground, EventType.CAMPAIGN_PROGRESS, EventType.CAMPAIGN_COMPLETED)
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 200)
    for amount, age, done in (
        (1, None, None),  # half a percent
        (1, None, 2),
        (50, 4.0, None),  # too soon
        (1, 5.0, 53),
        (1, 60.0, None),  # half a percent
        (1, 60.0, 55),
        (145, 60.0, 200),
    ):
        before = events_of(sessions)
        if age is not None:
            rest(sessions, campaign_id, age)
        succeed(sessions, ground, claim(sessions, amount))
        new = events_of(sessions)[len(before) :]
        assert [one.data["counts"]["succeeded"] for one in new] == ([done] if done else [])
    kinds = [one.type for one in events_of(sessions)]
    assert kinds == [EventType.CAMPAIGN_PROGRESS] * 3 + [EventType.CAMPAIGN_COMPLETED]
    numbers = [one.sequence for one in events_of(sessions)]
    assert numbers == sorted(set(numbers))


def test_a_campaigns_own_url_hears_of_its_progress_if_it_asked(
    sessions: Sessions, ground: Ground
) -> None:
    hook = {"url": "http://receiver.test/", "events": ["campaign.progress"]}
    with sessions.begin() as session:
        new_campaign(session, ground, 10, hook)
    succeed(sessions, ground, claim(sessions, 5))
    assert told(sessions) == {("campaign.progress", "http://receiver.test/"): 1}


def test_two_counts_of_one_transaction_tell_of_progress_once(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground, EventType.CAMPAIGN_PROGRESS)
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 10)
    rows = claim(sessions, 3)
    with sessions.begin() as session:
        for row in rows:
            held = jobs.Held(row.id, row.attempt)
            to = jobs.break_off(session, held, ImpastoError("no"), failures=0, by="w")
            assert to is JobStatus.FAILED
    assert [one.data["counts"]["failed"] for one in events_of(sessions)] == [1]
    with sessions() as session:
        assert session.get_one(Campaign, campaign_id).failed == 3
        assert ledger.balance(session, ground.tenant_id) == 7_000


def test_a_reviewers_word_goes_to_those_who_asked_for_it_and_comes_before_what_it_did(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground, EventType.JOB_REVIEWED, url="http://words/")
    listen(sessions, ground, EventType.JOB_SUCCEEDED, url="http://deeds/")
    listen(sessions, ground, EventType.JOB_IN_REVIEW, EventType.JOB_REVIEWED, url="http://both/")
    with sessions.begin() as session:
        [reviewed, plain] = new_jobs(session, ground, 2)
        session.get_one(Job, reviewed).review = "all"
    rows = claim(sessions, 2)
    asset = new_asset(ground, "content")
    ended = [
        jobs.Success(
            jobs.Held(row.id, row.attempt), asset.digest, 70, "{}", review=row.id == reviewed
        )
        for row in rows
    ]
    with sessions.begin() as session:
        jobs.succeed(session, ended, by="w")
    yes = Verdict(decision=Decision.APPROVE)
    with sessions.begin() as session:
        reviews.decide(session, ground.tenant_id, reviewed, yes, by="key:a")
    assert told(sessions) == {
        ("job.in_review", "http://both/"): 1,
        ("job.reviewed", "http://both/"): 1,
        ("job.reviewed", "http://words/"): 1,
        ("job.succeeded", "http://deeds/"): 2,
    }
    its = events_of(sessions, job_id=reviewed)
    kinds = [one.type for one in its]
    assert kinds == [EventType.JOB_IN_REVIEW, EventType.JOB_REVIEWED, EventType.JOB_SUCCEEDED]
    assert [one.sequence for one in its] == sorted({one.sequence for one in its})
    assert [one.job_id for one in events_of(sessions, type=EventType.JOB_REVIEWED)] == [reviewed]
    assert len(events_of(sessions, job_id=plain)) == 1


def test_endpoints_hear_of_budgets_and_of_licences_that_end(
    sessions: Sessions, ground: Ground
) -> None:
    listen(sessions, ground, EventType.CAMPAIGN_BUDGET, EventType.STYLE_LICENCE_EXPIRING)
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 2)
        campaign = session.get_one(Campaign, campaign_id)
        campaign.budget_micros = 70
        new_style(session, valid_until=in_days(5))
    succeed(sessions, ground, claim(sessions, 1))
    with sessions.begin() as session:
        expiries.announce(session)
        assert events.written(session)
    assert told(sessions) == {
        ("campaign.budget", "http://e/"): 1,
        ("style.licence_expiring", "http://e/"): 1,
    }


def test_progress_goes_on_after_a_retry(sessions: Sessions, ground: Ground) -> None:
    listen(sessions, ground, EventType.CAMPAIGN_PROGRESS)
    with sessions.begin() as session:
        campaign_id = new_campaign(session, ground, 10)
    rows = claim(sessions, 4)
    with sessions.begin() as session:
        for row in rows:
            held = jobs.Held(row.id, row.attempt)
            jobs.break_off(session, held, ImpastoError("no"), failures=0, by="w")
    with sessions.begin() as session:
        control.retry_failed(session, ground.tenant_id, campaign_id)
    rest(sessions, campaign_id, 60)
    succeed(sessions, ground, claim(sessions, 1))
    assert [one.data["counts"]["succeeded"] for one in events_of(sessions)] == [0, 1]
