"""A ticket, start to finish, with real parts: table, store, decoders, batcher, null engine."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, text

from app.credentials import State, read, reading
from app.db import Sessions, intake, jobs, lost
from app.db.intake import NewAsset, NewJob
from app.db.models import Asset, AssetKind, Inference, Job
from app.domain.ids import new_ids
from app.domain.job import SUSPECTS, JobStatus, Lane
from app.domain.parameters import Parameters
from app.domain.terms import PLAIN, Terms
from app.errors import NotFound, StorageUnavailable
from app.settings import LimitSettings, RateCard, WorkerSettings
from app.storage import Blob, asset_key
from app.storage.local import LocalStorage
from tests.easels import new_easel
from tests.loopback import serving
from tests.notaries import credentials, new_notary
from tests.rows import Ground, new_ground
from tests.stamps import Authority, needs_openssl
from tests.tickets import ListTickets
from tests.unit.pictures import jpeg
from tests.unit.test_marking import flipped
from tests.unit.test_signers import Office, opened
from workers.batcher import Batcher
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.engines.null import NullEngine
from workers.gate import Gate
from workers.leases import Leases
from workers.marking.notary import BROKEN
from workers.pace import Pace
from workers.pipeline import stylize
from workers.studio import Studio
from workers.stylebook import Stylebook


@pytest.fixture(scope="module")
def decoders() -> Iterator[DecodePool]:
    with DecodePool(1, LimitSettings()) as pool:
        yield pool


@pytest.fixture
def announced() -> list[UUID]:
    return []


@pytest.fixture
def studio(
    sessions: Sessions, tmp_path: Path, decoders: DecodePool, announced: list[UUID]
) -> Iterator[Studio]:
    leases = Leases(sessions, seconds=60, every=60)
    batcher = Batcher(NullEngine(), max_batch=8, max_batch_pixels=2**22, capacity=64)
    with leases, batcher:
        yield Studio(
            worker="w",
            engine="null",
            device="cpu:0",
            software="test",
            hardware="EPYC",
            image="sha256:1",
            stylizer=None,
            sessions=sessions,
            storage=LocalStorage(tmp_path),
            tickets=ListTickets(),
            announce=announced.extend,
            decode=lambda content, size: decoders.decode(content, size=size),
            draw=batcher.submit,
            encode=encode,
            notary=new_notary(),
            easel=new_easel(batcher.submit),
            stylebook=Stylebook(None),
            leases=leases,
            gate=Gate(),
            pace=Pace(),
            worker_settings=WorkerSettings(group=8),
            rate_card=RateCard(),
        )


@pytest.fixture
def ground(sessions: Sessions) -> Ground:
    with sessions.begin() as session:
        return new_ground(session)


def picture(shade: int, side: int = 64) -> bytes:
    out = BytesIO()
    Image.new("RGB", (side, side), (shade, 255 - shade, 90)).save(out, "JPEG", quality=95)
    return out.getvalue()


def queue(
    studio: Studio,
    ground: Ground,
    contents: Sequence[bytes],
    lane: Lane = Lane.CAMPAIGN,
    pixels: int = 4096,
    terms: Terms = PLAIN,
) -> list[UUID]:
    """Accepted jobs for these bytes, whatever they are: what intake would have let through."""
    assets = [
        NewAsset(
            ground.tenant_id,
            sha256(content).hexdigest(),
            AssetKind.CONTENT,
            "image/jpeg",
            len(content),
            64,
            64,
        )
        for content in contents
    ]
    keys = [asset_key(asset.tenant_id, asset.digest) for asset in assets]
    blobs = zip(keys, contents, strict=True)
    studio.storage.put(*(Blob(key, content, "image/jpeg") for key, content in blobs))
    planned = [
        NewJob(
            id=job_id,
            lane=lane,
            source="body",
            style_version_id=ground.style_version_id,
            parameters=Parameters().model_dump(mode="json"),
            content_digest=asset.digest,
            pixels=pixels,
        )
        for job_id, asset in zip(new_ids(len(assets)), assets, strict=True)
    ]
    with studio.sessions.begin() as session:
        intake.add_assets(session, assets)
        intake.add_jobs(
            session,
            planned,
            tenant_id=ground.tenant_id,
            campaign_id=None,
            webhook=None,
            rate_card="test",
            terms=terms,
        )
    return [job.id for job in planned]


def find(studio: Studio, job_id: UUID) -> Job:
    with studio.sessions() as session:
        return session.get_one(Job, job_id)


def tickets(studio: Studio) -> list[Lane]:
    assert isinstance(studio.tickets, ListTickets)
    return studio.tickets.lanes


def test_a_group_is_drawn_stored_and_written_together(
    studio: Studio, ground: Ground, announced: list[UUID]
) -> None:
    ids = queue(studio, ground, [picture(shade) for shade in range(5)])
    assert stylize(studio, Lane.CAMPAIGN) == {"claimed": 5, "succeeded": 5, "broken": 0}
    for job_id, shade in zip(ids, range(5), strict=True):
        job = find(studio, job_id)
        assert job.status is JobStatus.SUCCEEDED
        assert job.output_digest is not None
        stored = studio.storage.get(asset_key(ground.tenant_id, job.output_digest))
        assert sha256(stored).hexdigest() == job.output_digest
        drawn = np.asarray(Image.open(BytesIO(stored)), np.int16)
        assert np.abs(drawn[..., 0] - shade).max() <= 8
        assert job.timings is not None
        assert set(job.timings) == {"fetch", "decode", "wait", "device", "encode", "sign", "store"}
    assert announced == ids


def output(studio: Studio, ground: Ground, job_id: UUID) -> bytes:
    return studio.storage.get(asset_key(ground.tenant_id, find(studio, job_id).output_digest or ""))


def test_what_comes_out_is_signed_and_says_what_made_it(studio: Studio, ground: Ground) -> None:
    [job_id] = queue(studio, ground, [picture(1)])
    drawing = replace(studio, stylizer="a" * 64)
    stylize(drawing, Lane.CAMPAIGN)
    found = credentials(output(studio, ground, job_id))
    assert found.state is State.TRUSTED
    assert found.actions[1]["action"] == "c2pa.filtered"
    assert found.ingredients("inputTo")[0]["title"] == "plain@1"
    assert found.render is not None
    assert found.render["content_sha256"] == sha256(picture(1)).hexdigest()
    assert found.render["stylizer_sha256"] == "a" * 64
    assert Parameters.model_validate(found.render["parameters"]) == Parameters()
    with studio.sessions() as session:
        inference = session.scalars(select(Inference)).one()
    assert (inference.manifest_label, inference.software) == (found.label, "test")
    assert inference.manifest_digest is not None
    assert inference.certificate_digest is not None
    assert found.signed is not None
    assert (inference.certificate_serial, inference.stamped_at) == (found.signed.serial, None)
    assert (inference.worker, inference.hardware, inference.image) == ("w", "EPYC", "sha256:1")
    assert 2**20 < (inference.peak_bytes or 0) < 2**40


@needs_openssl
def test_when_it_was_signed_is_written_down(studio: Studio, ground: Ground, tmp_path: Path) -> None:
    authority, office = Authority(tmp_path / "authority"), Office(tmp_path)
    [job_id] = queue(studio, ground, [picture(1)])
    with serving(authority) as tsa, opened(office.settings(timestamp_url=tsa.url)) as notary:
        stylize(replace(studio, notary=notary), Lane.CAMPAIGN)
    content = BytesIO(output(studio, ground, job_id))
    told = read(content, "image/jpeg", reading(office.root + authority.root)).signed
    assert told is not None
    assert told.at_trusted
    with studio.sessions() as session:
        inference = session.scalars(select(Inference)).one()
    assert inference.stamped_at == told.at is not None


def test_equal_drawings_are_equal_before_they_are_signed(studio: Studio, ground: Ground) -> None:
    """Signing makes every file another; what was drawn is told apart from it."""
    queue(studio, ground, [picture(1), picture(1), picture(9)])
    stylize(studio, Lane.CAMPAIGN)
    with studio.sessions() as session:
        jobs_by = Job.id == Inference.job_id
        rows = session.execute(select(Inference.drawn_digest, Job.output_digest).join(Job, jobs_by))
        drawn, signed = zip(*rows, strict=True)
    assert (len(set(drawn)), len(set(signed))) == (2, 3)
    assert not set(drawn) & set(signed)


def test_what_is_not_signed_is_what_was_drawn(studio: Studio, ground: Ground) -> None:
    [job_id] = queue(studio, ground, [picture(1)])
    stylize(replace(studio, notary=None), Lane.CAMPAIGN)
    with studio.sessions() as session:
        inference = session.scalars(select(Inference)).one()
    assert inference.drawn_digest == find(studio, job_id).output_digest
    assert (inference.manifest_label, inference.certificate_serial) == (None, None)


def test_credentials_of_the_photograph_come_along(studio: Studio, ground: Ground) -> None:
    [first] = queue(studio, ground, [picture(1)])
    stylize(studio, Lane.CAMPAIGN)
    signed = output(studio, ground, first)
    broken = flipped(signed, signed.index(b"jumb") + 8)
    ids = queue(studio, ground, [signed, broken])
    assert stylize(studio, Lane.CAMPAIGN)["succeeded"] == 2
    kept, without = (credentials(output(studio, ground, job_id)) for job_id in ids)
    assert (kept.state, kept.earlier) == (State.TRUSTED, 1)
    assert kept.ingredients("parentOf")[0]["active_manifest"] == credentials(signed).label
    assert (without.state, without.earlier) == (State.TRUSTED, 0)
    assert without.ingredients("parentOf")[0]["description"] == BROKEN


def test_unmarked_outputs_are_written_down_as_unsigned(studio: Studio, ground: Ground) -> None:
    [job_id] = queue(studio, ground, [picture(1)])
    stylize(replace(studio, notary=None), Lane.CAMPAIGN)
    assert credentials(output(studio, ground, job_id)).state is State.ABSENT
    with studio.sessions() as session:
        inference = session.scalars(select(Inference)).one()
    assert (inference.manifest_label, inference.certificate_digest) == (None, None)
    assert "sign" not in (find(studio, job_id).timings or {})


def test_while_nobody_signs_jobs_wait(studio: Studio, ground: Ground, tmp_path: Path) -> None:
    office = Office(tmp_path)
    away = office.settings(key=None, signer_url="http://127.0.0.1:9/")
    [job_id] = queue(studio, ground, [picture(1)])
    with opened(away) as notary:
        assert stylize(replace(studio, notary=notary), Lane.CAMPAIGN)["broken"] == 1
    job = find(studio, job_id)
    assert (job.status, job.failures, job.output_digest) == (JobStatus.QUEUED, 1, None)


def test_the_shares_of_a_batch_add_up_to_one(studio: Studio, ground: Ground) -> None:
    queue(studio, ground, [picture(shade) for shade in range(4)])
    stylize(studio, Lane.CAMPAIGN)
    with studio.sessions() as session:
        measured = session.scalars(select(Inference)).all()
    assert sum(one.pixel_share for one in measured) == pytest.approx(
        sum(1 / one.batch_size for one in measured)
    )
    assert len(measured) == 4


def test_a_bad_picture_fails_alone(studio: Studio, ground: Ground) -> None:
    fine, cut, also_fine = queue(studio, ground, [picture(1), picture(2)[:400], picture(3)])
    assert stylize(studio, Lane.CAMPAIGN) == {"claimed": 3, "succeeded": 2, "broken": 1}
    assert find(studio, cut).error_code == "invalid-image"
    assert {find(studio, job_id).status for job_id in (fine, also_fine)} == {JobStatus.SUCCEEDED}


def test_what_is_odd_about_a_picture_is_told_and_may_send_it_to_a_reviewer(
    studio: Studio, ground: Ground, announced: list[UUID]
) -> None:
    # The null engine gives back what it got: nothing was done to it.
    odd = queue(studio, ground, [jpeg((80, 60))], terms=Terms(review="on-warning"))
    flat = queue(studio, ground, [picture(9)], terms=Terms(review="on-warning"))
    told = queue(studio, ground, [jpeg((90, 60))])
    assert stylize(studio, Lane.CAMPAIGN) == {"claimed": 3, "succeeded": 3, "broken": 0}
    jobs = [find(studio, job_id) for job_id in odd + flat + told]
    assert [job.warnings for job in jobs] == [["unchanged"], ["flat", "unchanged"], ["unchanged"]]
    assert [job.status for job in jobs] == [
        *(JobStatus.IN_REVIEW, JobStatus.IN_REVIEW, JobStatus.SUCCEEDED)
    ]
    assert all(job.output_digest and job.cost_micros for job in jobs)
    assert set(announced) == set(odd + flat + told)


def test_a_full_claim_wakes_another_and_a_small_one_does_not(
    studio: Studio, ground: Ground
) -> None:
    queue(studio, ground, [picture(shade) for shade in range(10)])
    stylize(studio, Lane.CAMPAIGN)
    assert tickets(studio) == [Lane.CAMPAIGN]
    stylize(studio, Lane.CAMPAIGN)
    assert tickets(studio) == [Lane.CAMPAIGN]


def test_any_ticket_serves_interactive_work_first(studio: Studio, ground: Ground) -> None:
    (bulk,) = queue(studio, ground, [picture(1)])
    (urgent,) = queue(studio, ground, [picture(2)], Lane.INTERACTIVE)
    stylize(studio, Lane.CAMPAIGN)
    first, then = find(studio, urgent), find(studio, bulk)
    assert first.finished_at is not None
    assert then.started_at is not None
    assert first.finished_at <= then.started_at


def test_a_ticket_without_work_does_nothing(studio: Studio) -> None:
    assert stylize(studio, Lane.CAMPAIGN) == {}
    assert stylize(studio, Lane.SOLO) == {}


def test_many_tickets_at_once_draw_every_picture_once(studio: Studio, ground: Ground) -> None:
    ids = queue(studio, ground, [picture(shade) for shade in range(60)])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: stylize(studio, Lane.CAMPAIGN), range(12)))
    assert {find(studio, job_id).attempt for job_id in ids} == {1}
    assert {find(studio, job_id).status for job_id in ids} == {JobStatus.SUCCEEDED}


def lose(studio: Studio, lane: Lane) -> None:
    """A worker takes what waits there, and dies."""
    with studio.sessions.begin() as session:
        session.execute(text("UPDATE jobs SET available_at = now() WHERE status = 'queued'"))
        jobs.claim(session, lane, worker="dead", limit=99, pixels=10**9, lease=-1)
    with studio.sessions.begin() as session:
        lost.rescue(session)


def test_suspects_are_served_in_small_groups(studio: Studio, ground: Ground) -> None:
    queue(studio, ground, [picture(shade) for shade in range(SUSPECTS + 2)])
    lose(studio, Lane.CAMPAIGN)
    assert stylize(studio, Lane.SOLO)["succeeded"] == SUSPECTS + 2
    assert tickets(studio) == [Lane.SOLO] * 3, "one for each full claim: a group and two alone"


def test_suspects_whose_group_died_are_served_one_by_one(studio: Studio, ground: Ground) -> None:
    queue(studio, ground, [picture(1), picture(2)])
    lose(studio, Lane.CAMPAIGN)
    lose(studio, Lane.SOLO)
    assert stylize(studio, Lane.SOLO)["succeeded"] == 2
    assert tickets(studio) == [Lane.SOLO] * 2, "one for each full claim: two alone"


def test_suspects_leave_time_for_others(studio: Studio, ground: Ground) -> None:
    queue(studio, ground, [picture(1), picture(2)])
    lose(studio, Lane.CAMPAIGN)
    lose(studio, Lane.SOLO)
    hasty = replace(studio, worker_settings=WorkerSettings(group_seconds=1e-6))
    assert stylize(hasty, Lane.SOLO)["succeeded"] == 1
    assert tickets(studio)[-1] is Lane.SOLO


def test_a_canceled_job_is_not_written(studio: Studio, ground: Ground) -> None:
    (job_id,) = queue(studio, ground, [picture(1)])
    canceling = replace(studio, encode=lambda *_: cancel_first(studio, ground, job_id))
    assert stylize(canceling, Lane.CAMPAIGN)["succeeded"] == 0
    assert find(studio, job_id).status is JobStatus.CANCELED


def test_what_a_canceled_job_brings_late_goes_at_once(studio: Studio, ground: Ground) -> None:
    (late,) = queue(studio, ground, [picture(3)])
    unmarked = replace(studio, notary=None)  # so that we know the bytes
    canceling = replace(unmarked, encode=lambda *_: cancel_first(studio, ground, late))
    stylize(canceling, Lane.CAMPAIGN)
    gone = sha256(picture(1)).hexdigest()
    with pytest.raises(NotFound):
        studio.storage.get(asset_key(ground.tenant_id, gone))
    with studio.sessions() as session:
        assert session.get_one(Asset, (ground.tenant_id, gone)).erased_at is not None


def test_what_a_canceled_job_brings_late_stays_where_another_made_the_same(
    studio: Studio, ground: Ground
) -> None:
    late, other = queue(studio, ground, [picture(2), picture(3)])
    waiting = [late]

    def encode_the_same(*_: object) -> bytes:
        return cancel_first(studio, ground, waiting.pop()) if waiting else picture(1)

    stylize(replace(studio, notary=None, encode=encode_the_same), Lane.CAMPAIGN)
    assert find(studio, late).status is JobStatus.CANCELED
    assert find(studio, other).output_digest == sha256(picture(1)).hexdigest()
    made = asset_key(ground.tenant_id, sha256(picture(1)).hexdigest())
    assert studio.storage.get(made) == picture(1)


def cancel_first(studio: Studio, ground: Ground, job_id: UUID) -> bytes:
    with studio.sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, job_id)
    return picture(1)


class AwayStorage(LocalStorage):
    """A store that takes nothing for now."""

    def put(self, *blobs: Blob) -> None:
        raise StorageUnavailable("The store is away.")


def test_a_store_that_is_away_gives_the_jobs_back(
    studio: Studio, ground: Ground, tmp_path: Path
) -> None:
    (job_id,) = queue(studio, ground, [picture(1)])
    away = replace(studio, storage=AwayStorage(tmp_path))
    assert stylize(away, Lane.CAMPAIGN)["broken"] == 1
    job = find(studio, job_id)
    assert (job.status, job.failures) == (JobStatus.QUEUED, 1)


def test_a_stored_picture_that_changed_is_not_drawn(
    studio: Studio, ground: Ground, tmp_path: Path
) -> None:
    (job_id,) = queue(studio, ground, [picture(1)])
    digest = find(studio, job_id).content_digest
    assert digest is not None
    (tmp_path / asset_key(ground.tenant_id, digest)).write_bytes(picture(9))
    stylize(studio, Lane.CAMPAIGN)
    assert find(studio, job_id).error_code == "invalid-image"


def test_styles_of_another_stylizer_are_left_to_others(studio: Studio, ground: Ground) -> None:
    (job_id,) = queue(studio, ground, [picture(1)])
    elsewhere = replace(studio, stylebook=Stylebook("b" * 64))
    assert stylize(elsewhere, Lane.CAMPAIGN)["broken"] == 1
    assert find(studio, job_id).status is JobStatus.QUEUED
