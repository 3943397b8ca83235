"""The checker sees what is planted: each invariant is shown red once, and all green without."""

from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import Sessions, control, costs, intake, jobs, reviews
from app.db.costs import NewInference
from app.db.intake import NewAsset, NewJob
from app.db.jobs import Held, Success
from app.db.models import AssetKind, Campaign
from app.domain.ids import new_id, new_ids
from app.domain.job import Lane
from app.domain.parameters import Parameters
from app.domain.review import Decision, ReviewQuery, Verdict
from app.errors import UnknownStyle
from app.storage import Blob, asset_key
from app.storage.local import LocalStorage
from tests.chaos.checker import check
from tests.chaos.findings import Evidence
from tests.chaos.journal import Asked, Journal, Reply
from tests.chaos.pictures import SIDE, picture
from tests.chaos.receiver import Heard
from tests.rows import Ground, new_ground

HOOK = {
    "url": "http://receiver.test/",
    "events": ["job.succeeded", "job.failed", "campaign.completed"],
}
JOBS = 4


class World:
    """A small campaign that went well, and everything that is known about it."""

    def __init__(self, sessions: Sessions, root: Path) -> None:
        self.sessions, self.storage = sessions, LocalStorage(root)
        self.journal, self.heard, self.stalls = Journal(), list[Heard](), list[str]()
        with sessions.begin() as session:
            self.ground = new_ground(session)
            session.execute(text("DROP TRIGGER final_stays ON jobs"))  # so that it can be planted
            self.asked = self._ask(session, JOBS)
        self._work()
        self._hear()

    def say(self, statement: str, **given: Any) -> None:
        """Plant a fault in the tables."""
        with self.sessions.begin() as session:
            session.execute(text("ALTER TABLE ledger DISABLE TRIGGER ledger_stays"))
            session.execute(text(statement), given)

    def one(self) -> UUID:
        """Some job of the campaign."""
        with self.sessions() as session:
            return UUID(str(session.scalar(text("SELECT min(id::text) FROM jobs"))))

    def found(self) -> set[str]:
        """Which invariants are broken."""
        given = Evidence(self.sessions, self.storage, self.journal, self.heard, self.stalls)
        return {finding.invariant for finding in check(given).findings}

    def _ask(self, session: Session, amount: int) -> Asked:
        asked = self.journal.ask(self.ground.tenant_id, amount, campaign=True, hook=True)
        asset = self.store(session, picture(3), AssetKind.CONTENT)
        campaign = Campaign(
            id=new_id(),
            tenant_id=self.ground.tenant_id,
            name="spring",
            style_version_id=self.ground.style_version_id,
            parameters={},
            webhook=HOOK,
            total=amount,
        )
        session.add(campaign)
        session.flush()
        intake.add_jobs(
            session,
            [self._job(job_id, asset, asked.label) for job_id in new_ids(amount)],
            tenant_id=self.ground.tenant_id,
            campaign_id=campaign.id,
            webhook=HOOK,
            rate_card="test",
        )
        asked.reply, asked.id = Reply.ACCEPTED, campaign.id
        return asked

    def _job(self, job_id: UUID, asset: NewAsset, label: str) -> NewJob:
        return NewJob(
            id=job_id,
            lane=Lane.CAMPAIGN,
            source="body",
            style_version_id=self.ground.style_version_id,
            parameters=Parameters().model_dump(mode="json"),
            custom_id=str(job_id),
            content_digest=asset.digest,
            pixels=SIDE * SIDE,
            metadata={"request": label},
            reserve_micros=1_000,
        )

    def store(self, session: Session, content: bytes, kind: AssetKind) -> NewAsset:
        """A picture with its row."""
        asset = _asset(self.ground, content, kind)
        self.storage.put(Blob(asset_key(asset.tenant_id, asset.digest), content, "image/jpeg"))
        intake.add_assets(session, [asset])
        return asset

    def _work(self, *, review: bool = False) -> None:
        with self.sessions.begin() as session:
            rows = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=99, pixels=10**9, lease=60)
            output = self.store(session, picture(3) + b" ", AssetKind.OUTPUT)
            done = [
                Success(Held(row.id, row.attempt), output.digest, 70, "{}", review=review)
                for row in rows
            ]
            jobs.succeed(session, done, by="w")
            costs.add(session, [_measured(row.id, row.attempt) for row in rows])
            session.execute(text("UPDATE deliveries SET state = 'delivered', delivered_at = now()"))

    def _hear(self) -> None:
        with self.sessions() as session:
            events = session.execute(text("SELECT id, type, data FROM events")).all()
        for event in events:
            self.hear(str(event.id), {"type": event.type, "data": event.data})

    def hear(self, name: str, event: dict[str, Any], wrong: str | None = None) -> None:
        """A webhook arrived."""
        self.heard.append(Heard(self.ground.tenant_id, name, event, wrong))


def _asset(ground: Ground, content: bytes, kind: AssetKind) -> NewAsset:
    digest = sha256(content).hexdigest()
    return NewAsset(ground.tenant_id, digest, kind, "image/jpeg", len(content), SIDE, SIDE)


def _measured(job_id: UUID, attempt: int) -> NewInference:
    return NewInference(job_id, attempt, "cpu:0", "null", "", 4, 1.0, 0.25)


@pytest.fixture
def world(sessions: Sessions, tmp_path: Path) -> World:
    return World(sessions, tmp_path)


def output(world: World) -> Path:
    """The file of the one output there is."""
    with world.sessions() as session:
        digest = session.scalar(text("SELECT max(output_digest) FROM jobs"))
    return world.storage.path(asset_key(world.ground.tenant_id, str(digest)))


def test_nothing_is_found_where_nothing_is_wrong(world: World) -> None:
    assert world.found() == set()


def test_what_was_retried_and_reviewed_is_no_fault(world: World) -> None:
    with world.sessions.begin() as session:
        asked = world._ask(session, 2)
        [row] = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=1, pixels=10**9, lease=60)
        gone = UnknownStyle("gone")
        jobs.break_off(session, Held(row.id, row.attempt), gone, failures=0, by="w")
        control.retry_failed(session, world.ground.tenant_id, asked.id or new_id())
    world._work(review=True)
    with world.sessions.begin() as session:
        query = ReviewQuery(campaign_id=asked.id)
        approved = Verdict(decision=Decision.APPROVE)
        reviews.decide_all(session, world.ground.tenant_id, query, approved, by="key:a")
        session.execute(text("UPDATE deliveries SET state = 'delivered', delivered_at = now()"))
    world.heard.clear()
    world._hear()
    assert world.found() == set()
    world.say("DELETE FROM ledger WHERE kind = 'release' AND round = 1 AND job_id = :id", id=row.id)
    assert world.found() == {"ledger"}


def in_rounds(world: World, rounds: int) -> str:
    """A campaign of two jobs that failed in all rounds but the last; its id."""
    with world.sessions.begin() as session:
        asked = world._ask(session, 2)
        for _ in range(rounds - 1):
            its = jobs.claim(session, Lane.CAMPAIGN, worker="w", limit=9, pixels=10**9, lease=60)
            for row in its:
                gone = UnknownStyle("gone")
                jobs.break_off(session, Held(row.id, row.attempt), gone, failures=0, by="w")
            control.retry_failed(session, world.ground.tenant_id, asked.id or new_id())
    world._work()
    world.heard.clear()
    world._hear()
    return str(asked.id)


def test_what_ended_in_several_rounds_is_told_once_in_each(world: World) -> None:
    campaign = in_rounds(world, 3)
    told = [heard.about for heard in world.heard]
    assert told.count((campaign, "campaign.completed")) == 3
    assert sum(kind == "job.failed" for _, kind in told) == 4
    assert world.found() == set()


@pytest.mark.parametrize("kind", ["campaign.completed", "job.failed", "job.succeeded"])
def test_in_several_rounds_one_word_too_few_is_found_and_one_too_many(
    world: World, kind: str
) -> None:
    in_rounds(world, 2)
    heard = [one for one in world.heard if one.about[1] == kind][-1]
    world.heard.remove(heard)
    assert world.found() == {"I6 lost"}
    world.heard.append(heard)
    assert world.found() == set()
    world.hear("another", heard.event)
    assert world.found() == {"I6 doubled"}


def test_a_campaign_that_is_open_again_has_ended_before(world: World) -> None:
    campaign = in_rounds(world, 2)
    world.say(
        "UPDATE campaigns SET finished_at = NULL, finished_version = NULL, total = total + 1"
        " WHERE round = 2"
    )
    world.heard.remove(next(one for one in world.heard if one.about[0] == campaign))
    assert "I6 lost" not in world.found()
    assert "I6 doubled" not in world.found()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE job_history SET worker = 'thief' WHERE status = 'succeeded'", {"I5"}),
        ("UPDATE job_history SET attempt = 0 WHERE status = 'running'", {"I5"}),
        ("UPDATE inferences SET attempt = 7", {"I5"}),
        ("DELETE FROM inferences", {"I5"}),
        ("DELETE FROM ledger WHERE kind = 'release'", {"ledger"}),
        ("DELETE FROM ledger WHERE kind = 'settle'", {"ledger"}),
        ("UPDATE ledger SET amount_micros = 71 WHERE kind = 'settle'", {"ledger"}),
        ("UPDATE campaigns SET succeeded = 3, failed = 1", {"counts"}),
        ("UPDATE campaigns SET cost_micros = 1", {"counts"}),
        (
            "UPDATE deliveries SET state = 'pending', delivered_at = NULL"
            " WHERE id = (SELECT id FROM deliveries LIMIT 1)",
            {"I2"},
        ),
        ('UPDATE jobs SET metadata = \'{"request": "of nobody"}\'', {"I1"}),
    ],
)
def test_a_wrong_row_is_found(world: World, statement: str, expected: set[str]) -> None:
    world.say(statement)
    assert world.found() == expected


def test_lost_work_is_found(world: World) -> None:
    world.say("DELETE FROM jobs WHERE id = :id", id=world.one())
    assert "I1" in world.found()


def test_a_request_that_made_too_much_is_found(world: World) -> None:
    world.asked.jobs = JOBS - 1
    assert world.found() == {"I7"}


def test_a_request_of_which_half_was_made_is_found(world: World) -> None:
    world.asked.jobs, world.asked.reply = JOBS + 1, Reply.UNKNOWN
    assert world.found() == {"I7"}


def test_refused_work_that_was_done_is_found(world: World) -> None:
    world.asked.reply = Reply.REFUSED
    assert world.found() == {"I1"}


def test_work_that_ended_otherwise_is_found(world: World) -> None:
    world.say(
        "UPDATE jobs SET status = 'failed', error_code = 'internal', output_digest = NULL"
        " WHERE id = :id",
        id=world.one(),
    )
    assert "I1" in world.found()


@pytest.mark.parametrize(
    "state",
    [
        "status = 'queued'",
        "status = 'running', worker = 'w', lease_until = now()",
    ],
)
def test_work_that_never_ends_is_found(world: World, state: str) -> None:
    world.say(f"UPDATE jobs SET {state}, finished_at = NULL, output_digest = NULL")  # noqa: S608 - our own words
    assert "I2" in world.found()


def test_a_missing_picture_is_found(world: World) -> None:
    output(world).unlink()
    assert world.found() == {"I3"}


def test_other_bytes_under_a_pictures_name_are_found(world: World) -> None:
    output(world).write_bytes(picture(5))
    assert world.found() == {"I3"}


@pytest.mark.parametrize("content", [picture(40), b"no picture at all"])
def test_a_wrong_picture_is_found(world: World, content: bytes) -> None:
    with world.sessions.begin() as session:
        asset = world.store(session, content, AssetKind.OUTPUT)
    world.say("UPDATE jobs SET output_digest = :digest", digest=asset.digest)
    assert world.found() == {"I3"}


def test_a_job_that_moved_after_its_end_is_found(world: World) -> None:
    world.say(
        "INSERT INTO job_history (job_id, status, attempt) VALUES (:id, 'queued', 1)",
        id=world.one(),
    )
    assert world.found() == {"I4"}


def test_a_copy_of_something_else_is_found(world: World) -> None:
    world.say(
        "UPDATE jobs SET rendered_by = (SELECT id FROM jobs AS other WHERE other.id <> :id LIMIT 1)"
        " WHERE id = :id",
        id=world.one(),
    )
    assert "I5" in world.found()


def test_a_second_success_is_found(world: World) -> None:
    world.say(
        "INSERT INTO job_history (job_id, status, attempt, worker)"
        " VALUES (:id, 'succeeded', 1, 'w')",
        id=world.one(),
    )
    assert world.found() == {"I4", "I5"}


def test_a_webhook_that_nobody_heard_is_found(world: World) -> None:
    world.heard.pop()
    assert world.found() == {"I6 lost"}


def test_a_second_id_for_the_same_event_is_found(world: World) -> None:
    world.hear("another", world.heard[0].event)
    assert world.found() == {"I6 doubled"}


def test_the_same_webhook_twice_is_no_fault(world: World) -> None:
    world.heard.append(world.heard[0])
    assert world.found() == set()


def test_a_wrong_signature_is_found(world: World) -> None:
    world.hear(world.heard[0].id, world.heard[0].event, wrong="no match")
    assert world.found() == {"I6"}


def test_a_webhook_about_nothing_is_found(world: World) -> None:
    world.hear("x", {"type": "job.succeeded", "data": {"job_id": str(new_id())}})
    assert world.found() == {"I6 doubled"}


def test_jobs_that_starved_are_found(world: World) -> None:
    world.stalls.append("3 jobs waited and nobody worked")
    assert world.found() == {"I8"}


def test_a_verdict_counts_what_was_lost_and_what_was_doubled(world: World) -> None:
    world.say("DELETE FROM inferences WHERE job_id = :id", id=world.one())
    output(world).unlink()
    given = Evidence(world.sessions, world.storage, world.journal, world.heard)
    verdict = check(given)
    assert (verdict.lost, verdict.doubled) == (JOBS, 1)
    assert "is not stored" in str(verdict)
