"""What an operator types who runs the fleet, against a database with work in it."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from app.cli import cli
from app.db import Sessions, audit, control, jobs, lost, paces
from app.db.models import Campaign, Job, JobHistory
from app.db.paces import Report
from app.db.queue import waiting_lanes
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane
from app.errors import InvalidImage
from app.settings import settings
from tests.licensed import new_style
from tests.rows import Ground, new_campaign, new_ground, new_jobs

WORKER = "cpu:0@node-1:77:abcdef"


@pytest.fixture(autouse=True)
def _beside(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def ops(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ops", *arguments])


def did(*arguments: str) -> str:
    """What it said that worked."""
    done = ops(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def rows(*arguments: str) -> list[dict[str, Any]]:
    """What it says to scripts."""
    answer: list[dict[str, Any]] = json.loads(did(*arguments, "--json"))
    return answer


def claim(session: Session, lane: Lane = Lane.CAMPAIGN, worker: str = WORKER) -> list[UUID]:
    taken = jobs.claim(session, lane, worker=worker, limit=64, pixels=2**40, lease=60.0)
    return [row.id for row in taken]


def broken(session: Session, lane: Lane = Lane.CAMPAIGN, limit: int = 64) -> list[UUID]:
    """Claimed, and failed for good."""
    taken = jobs.claim(session, lane, worker=WORKER, limit=limit, pixels=2**40, lease=60.0)
    for row in taken:
        held = jobs.Held(row.id, row.attempt)
        jobs.break_off(session, held, InvalidImage("cut off"), failures=0, by=WORKER)
    return [row.id for row in taken]


def report(session: Session, worker: str = WORKER) -> bool:
    """What a worker tells of itself; answers with what it hears."""
    place, host = worker.split(":7")[0], worker.split("@")[1].split(":")[0]
    its = Report(worker, host, place.split("@")[0], "null", 1.0, 0.0, 0, {})
    return paces.write(session, its)


def deeds(session: Session) -> list[str]:
    """The audit log, oldest first."""
    lines = audit.latest(session, limit=100)
    return [f"{line.action} {line.target}".strip() for line in reversed(lines)]


def test_lanes_say_what_waits_and_runs(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 3, pixels=1_000_000)
        claim(session)
        new_jobs(session, ground, 5, pixels=1_000_000)
        paused = new_campaign(session, ground, 2)
        control.pause(session, ground.tenant_id, paused)
    lanes = {row["lane"]: row for row in rows("lanes")}
    assert list(lanes) == [lane.value for lane in Lane]
    its = lanes["campaign"]
    assert (its["queued"], its["held"], its["running"]) == (7, 2, 3)
    assert its["device_seconds"] == pytest.approx(8 * 1.2)
    assert its["oldest_seconds"] > 0
    assert lanes["print"]["queued"] == 0


def test_lanes_by_style_and_size(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 3, pixels=100 * 100)
        new_jobs(session, ground, 2, pixels=2000 * 2000)
    found = [row for row in rows("lanes", "--by-style", "--by-size") if row["lane"] == "campaign"]
    assert [(row["style"], row["size"], row["queued"]) for row in found] == [
        ("plain@1", "2048", 2),
        ("plain@1", "256", 3),
    ]
    assert "campaign" in did("lanes")


def test_a_paused_lane_is_passed_by_until_it_is_resumed(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 2)
        new_jobs(session, ground, 1, lane=Lane.INTERACTIVE)
    assert "lane campaign: paused" in did("pause-lane", "campaign", "--reason", "disk is full")
    assert "was paused before" in did("pause-lane", "campaign")
    with sessions.begin() as session:
        assert waiting_lanes(session) == [Lane.INTERACTIVE]
        assert claim(session) == []
        assert len(claim(session, Lane.INTERACTIVE)) == 1
    [its] = [row for row in rows("lanes") if row["paused"]]
    assert its["lane"] == "campaign"
    assert "disk is full" in its["paused"]
    assert "disk is full" in did("lanes")

    did("resume-lane", "campaign")
    with sessions.begin() as session:
        assert waiting_lanes(session) == [Lane.CAMPAIGN]
        assert len(claim(session)) == 2
        assert deeds(session) == ["lane.paused campaign", "lane.resumed campaign"]
    assert "was told to stop" in str(ops("resume-lane", "campaign").exception)


@pytest.mark.parametrize("which", ["brand", "brand@1"])
def test_a_paused_style_waits_alone_and_in_mixes(
    sessions: Sessions, ground: Ground, which: str
) -> None:
    with sessions.begin() as session:
        brand = new_style(session).id
        new_jobs(session, ground, 1)
        [own] = new_jobs(session, ground, 1)
        [mixed] = new_jobs(session, ground, 1)
        session.execute(update(Job).where(Job.id == own).values(style_version_id=brand))
        mix = {"mix": {"plain@1": 0.7, "brand@1": 0.3}}
        session.execute(update(Job).where(Job.id == mixed).values(parameters=mix))
    did("pause-lane", which)
    with sessions.begin() as session:
        assert len(claim(session)) == 1
        assert waiting_lanes(session) == []
        wanted = session.scalars(text("SELECT sum(running + queued) FROM backlog")).one()
        assert wanted == 1  # what runs; nothing else wants a machine
    assert rows("jobs", "--stuck") == []
    by_style = {row["style"]: row["paused"] for row in rows("lanes", "--by-style")}
    assert by_style["brand@1"]
    did("resume-lane", which)
    with sessions.begin() as session:
        assert set(claim(session)) == {own, mixed}


@pytest.mark.parametrize("name", ["Nonsense!", "nobody@1"])
def test_what_is_no_lane_and_no_style_is_refused(name: str) -> None:
    assert "no" in str(ops("pause-lane", name).exception)
    assert ops("pause-lane", name).exit_code == 1


@pytest.mark.parametrize("whom", [WORKER, "cpu:0@node-1", "node-1"])
def test_a_drained_worker_finishes_and_takes_no_more(
    sessions: Sessions, ground: Ground, whom: str
) -> None:
    other = "cpu:0@node-2:77:abcdef"
    with sessions.begin() as session:
        new_jobs(session, ground, 2)
        held = claim(session)
        assert not report(session)
        report(session, other)
        new_jobs(session, ground, 1)
    assert "holds 2 jobs" in did("drain", whom, "--reason", "new driver")
    with sessions.begin() as session:
        assert claim(session) == []
        assert report(session)
        assert not report(session, other)
    states = {row["worker"]: row["state"] for row in rows("workers")}
    assert states == {WORKER: "draining", other: "idle"}
    with sessions.begin() as session:
        jobs.hand_back(session, [jobs.Held(job_id, 1) for job_id in held], by=WORKER)
        assert len(claim(session, worker=other)) == 3
    assert "drained" in did("drain", whom, "--wait", "1")
    states = {row["worker"]: row["state"] for row in rows("workers")}
    assert states == {WORKER: "drained", other: "working"}

    did("resume", whom)
    with sessions.begin() as session:
        assert not report(session)
        assert deeds(session) == [f"worker.drained {whom}", f"worker.resumed {whom}"]


def test_draining_waits_no_longer_than_it_is_told_to(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 1)
        claim(session)
    done = ops("drain", WORKER, "--wait", "0.1")
    assert done.exit_code == 1
    assert "holds 1 jobs" in done.stdout
    assert "will start drained" in did("drain", "cuda:9@nowhere")


def test_stuck_jobs_are_those_that_are_late_or_wait_far_too_long(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        [late] = new_jobs(session, ground, 1)
        claim(session)
        [old, fresh] = new_jobs(session, ground, 2)
        patient = new_campaign(session, ground, 1)
        control.pause(session, ground.tenant_id, patient)
        its = {"old": old, "late": late, "campaign": patient}
        session.execute(
            text("""
            UPDATE jobs SET created_at = now() - '10 min'::interval,
                available_at = now() - '10 min'::interval,
                lease_until = CASE WHEN id = :late THEN now() - '10 min'::interval END
            WHERE id IN (:old, :late) OR campaign_id = :campaign
            """),
            its,
        )
    assert fresh not in (old, late)
    found = rows("jobs", "--stuck")
    assert [(row["why"], row["id"]) for row in found] == [("late", str(late)), ("waits", str(old))]
    assert (found[0]["worker"], found[0]["attempt"]) == (WORKER, 1)
    assert found[0]["over_seconds"] > 590
    assert found[1]["age_seconds"] > 590
    assert str(late) in did("jobs", "--stuck")
    assert "--stuck" in str(ops("jobs").exception)


def test_dead_letters_are_grouped_by_reason(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 3)
        [*_, last] = broken(session)
        new_jobs(session, ground, 1, lane=Lane.INTERACTIVE)
        broken(session, Lane.INTERACTIVE)
    found = rows("dead")
    assert [(row["error_code"], row["lane"], row["jobs"]) for row in found] == [
        ("invalid-image", "campaign", 3),
        ("invalid-image", "interactive", 1),
    ]
    assert found[0]["detail"] == "cut off"
    assert found[0]["most_attempts"] == 1
    assert found[0]["example"] is not None
    assert last
    assert len(rows("dead", "--lane", "interactive")) == 1
    assert rows("dead", "--code", "quarantined") == []
    assert rows("dead", "--tenant", "acme", "--hours", "1") == found
    assert "Nothing failed" in did("dead", "--code", "quarantined")


def test_requeue_counts_first_and_then_runs_them_again(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        campaign = new_campaign(session, ground, 3)
        new_jobs(session, ground, 2)
        assert len(broken(session)) == 5
        assert session.get_one(Campaign, campaign).finished_at is not None
    assert json.loads(did("requeue", "--code", "invalid-image", "--dry-run", "--json")) == {
        "found": 5,
        "requeued": 0,
        "dry_run": True,
    }
    assert "5 jobs would" in did("requeue", "--all", "--dry-run")
    with sessions() as session:
        assert set(session.scalars(select(Job.status))) == {JobStatus.FAILED}
    assert "3 of 3" in did("requeue", "--campaign", str(campaign))
    with sessions() as session:
        assert session.get_one(Campaign, campaign).finished_at is None
        assert session.get_one(Campaign, campaign).failed == 0
    did("requeue", "--all")
    with sessions.begin() as session:
        assert set(session.scalars(select(Job.status))) == {JobStatus.QUEUED}
        assert set(session.scalars(select(Job.round))) == {2}
        notes = session.scalars(select(JobHistory.note).where(JobHistory.note == "retried")).all()
        assert len(notes) == 5  # by the function that changes status, or there were none
        assert len(claim(session)) == 5
        assert deeds(session) == [f"job.requeued {campaign}", "job.requeued jobs"]
    with sessions() as session:
        assert all(chain.flaw is None for chain in audit.verify(session))


def test_requeue_by_id_leaves_what_did_not_fail(sessions: Sessions, ground: Ground) -> None:
    with sessions.begin() as session:
        new_jobs(session, ground, 2)
        [one] = broken(session, limit=1)
        other = session.scalars(select(Job.id).where(Job.id != one)).one()
    assert "0 of 1" in did("requeue", str(other))
    assert "1 of 1" in did("requeue", str(one))
    assert "0 of 2" in did("requeue", str(one), str(other))
    assert ops("requeue").exit_code == 1
    assert ops("requeue", str(one), "--all").exit_code == 1
    with sessions() as session:
        assert deeds(session) == [f"job.requeued {one}"]


def test_a_suspect_by_its_address_is_shown_without_what_lets_in(
    sessions: Sessions, ground: Ground
) -> None:
    url = "https://shop.example/cup.jpg?X-Amz-Signature=letmein"
    with sessions.begin() as session:
        new_jobs(session, ground, 1, lane=Lane.FETCH)
        session.execute(update(Job).values(source=url, content_digest=None, crashes=1))
    [suspected] = rows("quarantine")
    assert suspected["picture"] == "https://shop.example/cup.jpg"


def test_a_picture_in_quarantine_is_shown_and_let_out_alone(
    sessions: Sessions, ground: Ground
) -> None:
    with sessions.begin() as session:
        [poison] = new_jobs(session, ground, 1, lane=Lane.SOLO)
    [suspected] = rows("quarantine")
    assert suspected["state"] == "suspected"
    for _ in range(MAX_SOLO_CRASHES + 1):
        with sessions.begin() as session:
            session.execute(update(Job).values(available_at=text("now() - interval '1 hour'")))
            assert claim(session, Lane.SOLO) == [poison]
            session.execute(update(Job).values(lease_until=text("now() - interval '1 s'")))
            lost.rescue(session)
    [found] = rows("quarantine")
    assert (found["state"], found["example"]) == ("quarantined", str(poison))
    assert re.fullmatch("[0-9a-f]{64}", found["picture"])
    assert "1 of 1" in did("quarantine", "--release", str(poison))
    with sessions() as session:
        job = session.get_one(Job, poison)
        assert (job.status, job.lane, job.crashes) == (JobStatus.QUEUED, Lane.SOLO, 0)
        assert deeds(session) == [f"job.released {poison}"]
    assert "0 of 0" in did("quarantine", "--release", str(poison))
