"""Work that takes minutes: claimed one by one, written once, given back when nobody can stay."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db import Sessions, jobs, lost
from app.db.models import Inference, Job, JobHistory, LedgerEntry
from app.domain.job import MAX_SOLO_CRASHES, JobStatus, Lane
from app.errors import EngineBusy, PrintRefused
from app.settings import LocalStorageSettings, RateCard, Settings, WorkerSettings
from app.storage import LocalStorage
from tests.notaries import new_notary
from tests.rows import Ground, new_ground, new_jobs
from tests.tickets import ListTickets
from workers.asks import Cost
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.leases import Leases
from workers.marking.notary import Sealed
from workers.materials import picture
from workers.optimizer import Optimizer, optimize
from workers.studio import Work
from workers.stylebook import Stylebook


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


@pytest.fixture
def optimizer(sessions: Sessions, tmp_path: Path) -> Iterator[Optimizer]:
    """A worker's whole workplace; its crafts are the tests'."""
    storage = LocalStorage(tmp_path / "assets")
    storage.check()
    settings = Settings(_env_file=None, storage=LocalStorageSettings(root=tmp_path / "assets"))
    leases = Leases(sessions, seconds=60.0, every=0.05)
    with DecodePool(1, settings.limits) as decoders, leases:
        yield Optimizer(
            worker="optimizer@test",
            engine="optimizer",
            device="cpu",
            software="test",
            stylizer="a" * 64,
            sessions=sessions,
            storage=storage,
            tickets=ListTickets(),
            announce=lambda _: None,
            decode=decoders.decode,
            encode=encode,
            notary=new_notary(),
            stylebook=Stylebook("a" * 64),
            leases=leases,
            worker_settings=WorkerSettings(),
            rate_card=RateCard(),
            settings=settings,
            closing=Event(),
        )


def quickly(optimizer: Optimizer, work: Work, folder: Path) -> None:
    """A craft that is done at once."""
    assert folder.is_dir()
    work.picture = picture(work, Sealed(work.held.id.bytes), 64, 48, Cost(1, 90_000.0, 1.0))


def rename(session: Session) -> None:
    """Something that can be seen to have been written."""
    session.execute(text("UPDATE tenants SET name = 'told'"))


def queued(sessions: Sessions, ground: Ground, amount: int = 1) -> list[UUID]:
    with sessions.begin() as session:
        return new_jobs(session, ground, amount, lane=Lane.PRINT)


def state(sessions: Sessions, job_id: UUID) -> Job:
    with sessions() as session:
        return session.get_one(Job, job_id)


def test_one_job_is_served_a_ticket_and_costs_what_it_took(
    optimizer: Optimizer, sessions: Sessions, ground: Ground
) -> None:
    first, second = queued(sessions, ground, 2)
    answer = optimize(optimizer, {Lane.PRINT: quickly}, Lane.PRINT)
    assert answer == {"claimed": 1, "succeeded": 1, "broken": 0}
    assert state(sessions, second).status is JobStatus.QUEUED
    assert isinstance(optimizer.tickets, ListTickets)
    assert optimizer.tickets.lanes == [Lane.PRINT]  # for whoever serves the second
    job = state(sessions, first)
    assert job.status is JobStatus.SUCCEEDED
    assert job.cost_micros == 20 + 90 * 1_200
    with sessions() as session:
        [inference] = session.scalars(select(Inference))
        assert (inference.engine, inference.device_ms) == ("optimizer", 90_000.0)
        kinds = session.scalars(select(LedgerEntry.kind).where(LedgerEntry.job_id == first))
        assert sorted(kinds) == ["release", "reserve", "settle"]


def test_an_empty_lane_costs_nothing(optimizer: Optimizer) -> None:
    assert optimize(optimizer, {}, Lane.LEARN) == {}


def test_what_is_written_beside_a_success_is_written_with_it_or_not_at_all(
    optimizer: Optimizer, sessions: Sessions, ground: Ground
) -> None:
    [job_id] = queued(sessions, ground)

    def late(optimizer: Optimizer, work: Work, folder: Path) -> None:
        quickly(optimizer, work, folder)
        work.also = rename
        with sessions.begin() as session:  # somebody withdraws it in the last moment
            jobs.cancel(session, ground.tenant_id, job_id)

    optimize(optimizer, {Lane.PRINT: late}, Lane.PRINT)
    assert state(sessions, job_id).status is JobStatus.CANCELED
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM tenants WHERE name = 'told'")) == 0


def test_a_refusal_ends_the_job_with_its_sentence(
    optimizer: Optimizer, sessions: Sessions, ground: Ground
) -> None:
    [job_id] = queued(sessions, ground)

    def refusing(*_: Any) -> None:
        raise PrintRefused("1,000 pixels would fit")

    optimize(optimizer, {Lane.PRINT: refusing}, Lane.PRINT)
    job = state(sessions, job_id)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "print-refused")
    assert job.error_detail == "1,000 pixels would fit"


def test_a_withdrawn_job_is_noticed_while_it_runs(
    optimizer: Optimizer, sessions: Sessions, ground: Ground
) -> None:
    [job_id] = queued(sessions, ground)
    noticed = []

    def patient(optimizer: Optimizer, work: Work, folder: Path) -> None:
        with sessions.begin() as session:
            jobs.cancel(session, ground.tenant_id, job_id)
        for _ in range(400):
            optimizer.leases.rest(0.05)
            if optimizer.leases.lost(work.held):
                noticed.append(True)
                raise EngineBusy

    optimize(optimizer, {Lane.PRINT: patient}, Lane.PRINT)
    assert noticed
    assert state(sessions, job_id).status is JobStatus.CANCELED


def test_a_worker_that_is_asked_to_end_gives_its_job_back_and_blames_nobody(
    optimizer: Optimizer, sessions: Sessions, ground: Ground
) -> None:
    [job_id] = queued(sessions, ground)

    def interrupted(optimizer: Optimizer, work: Work, folder: Path) -> None:
        optimizer.closing.set()
        raise EngineBusy

    answer = optimize(optimizer, {Lane.PRINT: interrupted}, Lane.PRINT)
    assert answer == {"claimed": 1, "handed_back": 1}
    job = state(sessions, job_id)
    assert (job.status, job.failures, job.lane) == (JobStatus.QUEUED, 0, Lane.PRINT)
    with sessions() as session:
        notes = session.scalars(select(JobHistory.note).where(JobHistory.job_id == job_id))
        assert "handed back" in list(notes)


def test_what_was_done_before_the_end_is_kept(
    optimizer: Optimizer, sessions: Sessions, ground: Ground
) -> None:
    [job_id] = queued(sessions, ground)

    def just_in_time(optimizer: Optimizer, work: Work, folder: Path) -> None:
        quickly(optimizer, work, folder)
        optimizer.closing.set()

    optimize(optimizer, {Lane.PRINT: just_in_time}, Lane.PRINT)
    assert state(sessions, job_id).status is JobStatus.SUCCEEDED


def test_a_print_that_loses_its_worker_waits_in_its_lane_and_poison_is_set_aside(
    sessions: Sessions, ground: Ground
) -> None:
    [job_id] = queued(sessions, ground)
    for _ in range(MAX_SOLO_CRASHES + 1):
        with sessions.begin() as session:
            session.execute(text("UPDATE jobs SET available_at = now()"))
        with sessions.begin() as session:
            assert jobs.claim(session, Lane.PRINT, worker="w", limit=1, pixels=1, lease=-1.0)
        with sessions.begin() as session:
            assert lost.rescue(session) == 1
        assert state(sessions, job_id).lane is Lane.PRINT
    job = state(sessions, job_id)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "quarantined")


def test_a_stylizing_claim_never_takes_what_takes_minutes(
    sessions: Sessions, ground: Ground
) -> None:
    queued(sessions, ground)
    with sessions.begin() as session:
        for lane in (Lane.INTERACTIVE, Lane.CAMPAIGN, Lane.SOLO):
            assert not jobs.claim(session, lane, worker="w", limit=9, pixels=2**31, lease=60)
