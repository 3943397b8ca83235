"""Mixes, masks, colours and variants as they come out of the pipeline, drawn by real engines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select

from app.catalog import Catalog
from app.credentials import State
from app.db import Sessions, intake
from app.db.intake import NewAsset, NewJob
from app.db.models import Asset, AssetKind, Inference, Job, Style, StyleVersion, Stylizer, Tenant
from app.domain.ids import new_id
from app.domain.job import JobStatus, Lane
from app.domain.parameters import Mask, Output, OutputFormat, Parameters
from app.domain.style import StyleStatus
from app.settings import CATALOG, EngineSettings, LimitSettings, RateCard, WorkerSettings
from app.storage import Blob, asset_key
from app.storage.local import LocalStorage
from tests.easels import new_easel
from tests.notaries import credentials, new_notary
from tests.tickets import ListTickets
from tests.unit import networks
from tests.unit.pictures import held, photo, saved, truncated
from workers.batcher import Batcher
from workers.batches import Budget
from workers.codec.encode import encode
from workers.codec.pool import DecodePool
from workers.engines import open_engine
from workers.engines.base import Engine
from workers.engines.options import Wishes
from workers.engines.ort import OrtEngine
from workers.gate import Gate
from workers.leases import Leases
from workers.pace import Pace
from workers.pipeline import stylize
from workers.studio import Studio
from workers.stylebook import Stylebook

PNG = Output(format=OutputFormat.PNG)
RED, BLUE = [200.0, 40.0, 20.0], [20.0, 80.0, 220.0]

Pixels = NDArray[np.uint8]


@dataclass
class Workshop:
    """A studio with a tenant, and styles by their pinned names."""

    studio: Studio
    tenant_id: UUID
    versions: dict[str, UUID]

    def keep(self, content: bytes) -> NewAsset:
        digest = sha256(content).hexdigest()
        self.studio.storage.put(Blob(asset_key(self.tenant_id, digest), content, "image/png"))
        return NewAsset(
            self.tenant_id, digest, AssetKind.CONTENT, "image/png", len(content), 64, 48
        )

    def queue(self, content: bytes, style: str, **wanted: Any) -> UUID:
        """A job as intake would have written it."""
        asset = self.keep(content)
        parameters = Parameters(**{"output": PNG} | wanted)
        job = NewJob(
            id=new_id(),
            lane=Lane.CAMPAIGN,
            source="body",
            style_version_id=self.versions[style],
            parameters=parameters.model_dump(mode="json"),
            content_digest=asset.digest,
            pixels=4096,
        )
        about: dict[str, Any] = {"campaign_id": None, "webhook": None, "rate_card": "test"}
        with self.studio.sessions.begin() as session:
            intake.add_assets(session, [asset])
            intake.add_jobs(session, [job], tenant_id=self.tenant_id, **about)
        return job.id

    def job(self, job_id: UUID) -> Job:
        with self.studio.sessions() as session:
            return session.get_one(Job, job_id)

    def drawn(self, job_id: UUID) -> Pixels:
        """What became of a job."""
        job = self.job(job_id)
        assert job.status is JobStatus.SUCCEEDED, job.error_detail
        stored = self.studio.storage.get(asset_key(self.tenant_id, job.output_digest or ""))
        return np.asarray(Image.open(BytesIO(stored)))

    def draw(self, content: bytes, style: str, **wanted: Any) -> Pixels:
        job_id = self.queue(content, style, **wanted)
        stylize(self.studio, Lane.CAMPAIGN)
        return self.drawn(job_id)


Opening = Callable[[Engine, dict[str, Sequence[float]]], Workshop]


@pytest.fixture
def opening(sessions: Sessions, tmp_path: Path) -> Iterator[Opening]:
    """Opens workshops over an engine and its embeddings."""
    with ExitStack() as open_ones:

        def open_workshop(engine: Engine, styles: dict[str, Sequence[float]]) -> Workshop:
            leases = open_ones.enter_context(Leases(sessions, seconds=60, every=60))
            decoders = open_ones.enter_context(DecodePool(1, LimitSettings()))
            batcher = Batcher(engine, budget=Budget(8, 2**22), capacity=64)
            open_ones.enter_context(batcher)
            studio = Studio(
                worker="w",
                engine=engine.name,
                device=engine.device,
                software="test",
                stylizer=engine.stylizer_digest,
                sessions=sessions,
                storage=LocalStorage(tmp_path),
                tickets=ListTickets(),
                announce=lambda ids: None,
                decode=lambda content, size: decoders.decode(content, size=size),
                draw=batcher.submit,
                encode=encode,
                notary=new_notary(),
                easel=new_easel(batcher.submit, reach=engine.reach),
                stylebook=Stylebook(engine.stylizer_digest),
                leases=leases,
                gate=Gate(),
                pace=Pace(),
                worker_settings=WorkerSettings(group=32),
                rate_card=RateCard(),
            )
            return _with_styles(studio, engine.stylizer_digest or "", styles)

        yield open_workshop


def _with_styles(studio: Studio, digest: str, styles: dict[str, Sequence[float]]) -> Workshop:
    tenant, versions = Tenant(name="one"), {}
    size = len(next(iter(styles.values())))
    with studio.sessions.begin() as session:
        session.add_all(
            [
                Stylizer(digest=digest, name="tiny", version="1", embedding_size=size, card={}),
                *(Style(slug=slug, title=slug) for slug in styles),
                tenant,
            ]
        )
        session.flush()
        for slug, numbers in styles.items():
            version = StyleVersion(
                slug=slug,
                version=1,
                stylizer_digest=digest,
                status=StyleStatus.ACTIVE,
                embedding=np.array(numbers, "<f4").tobytes(),
                card={},
            )
            session.add(version)
            session.flush()
            versions[slug] = version.id
        return Workshop(studio, tenant.id, versions)


@pytest.fixture
def workshop(opening: Opening, tmp_path: Path) -> Workshop:
    """Its network paints everything in the colour that the style names."""
    model = tmp_path / "model.onnx"
    model.write_bytes(networks.blend())
    engine = OrtEngine(model, sha256(model.read_bytes()).hexdigest(), Wishes(threads=1))
    return opening(engine, {"red": RED, "blue": BLUE})


@pytest.fixture
def content() -> bytes:
    return saved(photo((64, 48)), "PNG")


def pixels_of(content: bytes) -> Pixels:
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def half_mask(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """White on the left: kept; black on the right: drawn."""
    mask = Image.new("L", size, 0)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def test_a_mix_is_the_weighted_sum_of_its_styles(workshop: Workshop, content: bytes) -> None:
    mixed = workshop.draw(content, "red", mix={"red@1": 0.75, "blue@1": 0.25})
    expected = 0.75 * np.array(RED) + 0.25 * np.array(BLUE)
    assert np.abs(mixed - expected).max() <= 0.51


def test_mixes_and_plain_styles_are_learnt_with_one_look(
    workshop: Workshop, content: bytes
) -> None:
    ids = [
        workshop.queue(content, "red"),
        workshop.queue(content, "blue", mix={"blue@1": 0.5, "red@1": 0.5}),
        workshop.queue(content, "blue"),
    ]
    stylize(workshop.studio, Lane.CAMPAIGN)
    colours = [workshop.drawn(job_id)[0, 0].tolist() for job_id in ids]
    assert colours == [[200, 40, 20], [110, 60, 120], [20, 80, 220]]


@pytest.mark.parametrize("size", [(64, 48), (128, 96), (33, 70)])
def test_a_mask_keeps_the_photograph_where_it_is_white(
    workshop: Workshop, content: bytes, size: tuple[int, int]
) -> None:
    mask = workshop.keep(saved(half_mask(size), "PNG"))
    drawn = workshop.draw(content, "red", mask=Mask(digest=mask.digest, feather=0))
    photograph = pixels_of(content)
    np.testing.assert_array_equal(drawn[:, :20], photograph[:, :20])
    assert (drawn[:, 44:] == RED).all()


def test_a_feathered_mask_has_a_soft_edge(workshop: Workshop, content: bytes) -> None:
    mask = workshop.keep(saved(half_mask(), "PNG"))
    drawn = workshop.draw(content, "red", mask=Mask(digest=mask.digest, feather=0.1))
    share = (drawn[24].astype(float) - RED) / (pixels_of(content)[24] - np.array(RED))
    red = share[:, 0]
    assert red[4] > 0.99
    assert red[60] < 0.01
    assert 0.35 < red[32] < 0.65


def test_a_mask_is_turned_as_its_camera_was_held(workshop: Workshop) -> None:
    """Red on the left as stored, held upside down: its bright half comes out on the right."""
    mask = workshop.keep(held(3, "PNG", (64, 48)))
    black = saved(Image.new("RGB", (64, 48)), "PNG")
    drawn = workshop.draw(black, "red", mask=Mask(digest=mask.digest, feather=0)).astype(int)
    left, right = drawn[:, 8, 0].mean(), drawn[:, 56, 0].mean()
    # Luma of that blue is 64, of that red 77: the more is kept of black, the less red there is.
    assert left > right + 5


def test_a_mask_follows_the_size_of_the_output(workshop: Workshop) -> None:
    content = saved(photo((400, 200)), "PNG")
    mask = workshop.keep(saved(half_mask((50, 50)), "PNG"))
    small = Output(format=OutputFormat.PNG, size=100)
    wanted = {"output": small, "mask": Mask(digest=mask.digest, feather=0)}
    drawn = workshop.draw(content, "blue", **wanted)
    assert drawn.shape == (50, 100, 3)
    assert (drawn[:, 54:] == BLUE).all()
    assert not (drawn[:, :46] == BLUE).all(axis=2).any()


def test_transparency_is_kept_beside_a_mask(workshop: Workshop) -> None:
    clear = Image.new("RGBA", (64, 48), (10, 20, 30, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 64, 24))
    mask = workshop.keep(saved(half_mask(), "PNG"))
    drawn = workshop.draw(saved(clear, "PNG"), "red", mask=Mask(digest=mask.digest, feather=0))
    assert drawn.shape == (48, 64, 4)
    assert drawn[:24, :, 3].max() == 0
    assert drawn[24:, :, 3].min() == 255


def test_a_broken_mask_fails_its_own_job_only(workshop: Workshop, content: bytes) -> None:
    cut = workshop.keep(truncated(saved(half_mask((300, 300)).resize((300, 300)), "PNG"), 0.5))
    mask = Mask(digest=cut.digest)
    fine, broken, also_fine = (
        workshop.queue(content, "red"),
        workshop.queue(content, "red", mask=mask),
        workshop.queue(content, "blue"),
    )
    assert stylize(workshop.studio, Lane.CAMPAIGN)["succeeded"] == 2
    job = workshop.job(broken)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "invalid-image")
    assert (job.error_detail or "").startswith("mask: ")
    for job_id in (fine, also_fine):
        assert workshop.job(job_id).status is JobStatus.SUCCEEDED


def test_kept_colours_are_those_of_the_photograph(workshop: Workshop) -> None:
    content = saved(Image.new("RGB", (64, 48), (60, 120, 70)), "PNG")
    drawn = workshop.draw(content, "red", keep_colour=1.0)
    red, green, blue = drawn[0, 0].astype(int).tolist()
    assert green > red + 20
    assert green > blue + 20


def test_kept_colours_of_a_drawing_without_strength_are_the_photograph(
    workshop: Workshop, content: bytes
) -> None:
    drawn = workshop.draw(content, "red", keep_colour=1.0, strength=0.0)
    assert np.abs(drawn.astype(int) - pixels_of(content)).max() <= 1


@pytest.fixture
def painters(opening: Opening) -> Workshop:
    """The stylizer that ships, with its styles."""
    catalog = Catalog(CATALOG)
    name = EngineSettings().stylizer
    styles = {
        card.slug: np.frombuffer(card.embeddings[name].content(), "<f4").tolist()
        for card in catalog.styles
        if name in card.embeddings
    }
    return opening(open_engine(EngineSettings(threads=2), catalog), styles)


def test_a_variation_is_the_same_for_the_same_seed_only(painters: Workshop) -> None:
    content = saved(photo((96, 80)), "PNG")
    plain, one, again, other = (
        painters.draw(content, "great-wave", variation=seed).astype(int) for seed in (None, 1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).mean() > 1
    assert np.abs(one - plain).mean() > 1


def test_a_variation_without_strength_is_the_photograph(painters: Workshop) -> None:
    content = saved(photo((96, 80)), "PNG")
    plain = painters.draw(content, "great-wave", strength=0.0)
    varied = painters.draw(content, "great-wave", strength=0.0, variation=99)
    assert np.abs(varied.astype(int) - plain).max() <= 1


def test_a_deterministic_picture_is_the_same_in_a_crowd_and_alone(painters: Workshop) -> None:
    content = saved(photo((76, 60)), "PNG")
    wanted: dict[str, Any] = {
        "deterministic": True,
        "mix": {"great-wave@1": 0.6, "scream@1": 0.4},
        "variation": 3,
        "keep_colour": 0.3,
    }
    quiet = painters.queue(content, "great-wave", **wanted)
    stylize(painters.studio, Lane.CAMPAIGN)
    others = [painters.queue(content, style) for style in ("scream", "udnie", "great-wave") * 4]
    busy = painters.queue(content, "great-wave", **wanted)
    others += [painters.queue(content, style) for style in ("udnie", "scream") * 4]
    stylize(painters.studio, Lane.CAMPAIGN)
    np.testing.assert_array_equal(painters.drawn(quiet), painters.drawn(busy))
    with painters.studio.sessions() as session:
        sizes = dict(session.execute(select(Inference.job_id, Inference.batch_size)).all())
    assert sizes[quiet] == sizes[busy] == 1
    assert max(sizes[job_id] for job_id in others) > 1, "there was a crowd"


@pytest.mark.parametrize("whole_pixels", [2**22, 4000], ids=["whole", "in tiles"])
def test_an_avif_comes_out_signed_with_its_transparency(
    painters: Workshop, whole_pixels: int
) -> None:
    easel = painters.studio.easel
    easel = new_easel(easel.submit, reach=easel.reach, side=256, whole_pixels=whole_pixels)
    painters.studio = replace(painters.studio, easel=easel)
    clear = photo((300, 200))
    clear.putalpha(Image.linear_gradient("L").resize((300, 200)))
    output = Output(format=OutputFormat.AVIF)
    job_id = painters.queue(saved(clear, "PNG"), "great-wave", output=output)
    stylize(painters.studio, Lane.CAMPAIGN)
    drawn = painters.drawn(job_id)
    assert drawn.shape == (200, 300, 4)
    assert np.abs(drawn[:, :, 3].astype(int) - np.asarray(clear.getchannel("A"))).max() <= 4
    digest = painters.job(job_id).output_digest or ""
    with painters.studio.sessions() as session:
        assert session.get_one(Asset, (painters.tenant_id, digest)).media_type == "image/avif"
    stored = painters.studio.storage.get(asset_key(painters.tenant_id, digest))
    assert credentials(stored, "image/avif").state is State.TRUSTED


def test_a_picture_in_tiles_is_finished_like_a_whole_one(painters: Workshop) -> None:
    """Its mask is stretched and its colours are kept tile by tile, without a seam."""
    content = saved(photo((400, 300)), "PNG")
    mask = painters.keep(saved(half_mask((90, 70)), "PNG"))
    wanted: dict[str, Any] = {
        "mask": Mask(digest=mask.digest, feather=0.02),
        "keep_colour": 0.5,
        "deterministic": True,
    }
    whole = painters.draw(content, "great-wave", **wanted).astype(int)
    easel = painters.studio.easel
    easel = new_easel(easel.submit, reach=easel.reach, side=256, whole_pixels=4000)
    painters.studio = replace(painters.studio, easel=easel)
    tiled, again = (painters.draw(content, "great-wave", **wanted).astype(int) for _ in range(2))
    np.testing.assert_array_equal(tiled, again)
    np.testing.assert_array_equal(tiled[:, :150], pixels_of(content)[:, :150])
    assert np.abs(tiled - whole).mean() < 1
    assert np.abs(tiled - whole).max() <= 12
