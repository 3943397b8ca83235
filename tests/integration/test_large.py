"""A large picture through the whole workshop, beside small ones."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from app.db.models import Inference
from app.domain.job import JobStatus, Lane
from app.storage import asset_key
from tests.easels import new_easel
from tests.integration.test_pipeline import announced, decoders, find, ground, lose, queue, studio
from tests.rows import Ground
from tests.unit import pictures
from workers.pipeline import stylize
from workers.studio import Studio

__all__ = ["announced", "decoders", "ground", "studio"]  # fixtures of the small pictures' tests

SIDE = 600
WHOLE = 64 * 64


@pytest.fixture
def large(studio: Studio) -> Studio:
    """The studio, but all that exceeds 64 x 64 pixels is drawn in tiles of 128."""
    easel = new_easel(studio.easel.submit, side=128, whole_pixels=WHOLE, places=1)
    return replace(studio, easel=easel)


def queue_large(
    studio: Studio, ground: Ground, *contents: bytes, lane: Lane = Lane.CAMPAIGN
) -> Any:
    return queue(studio, ground, contents, lane, pixels=SIDE * SIDE)


def output(studio: Studio, ground: Ground, job_id: Any) -> Image.Image:
    job = find(studio, job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error_detail
    return Image.open(
        BytesIO(studio.storage.get(asset_key(ground.tenant_id, job.output_digest or "")))
    )


def test_a_large_picture_is_drawn_in_tiles_and_written_like_any_other(
    large: Studio, ground: Ground
) -> None:
    content = pictures.held(6, "JPEG", (SIDE, 400))
    (job_id,) = queue_large(large, ground, content)
    assert stylize(large, Lane.CAMPAIGN) == {"claimed": 1, "succeeded": 1, "broken": 0}
    drawn = output(large, ground, job_id)
    assert drawn.size == (400, SIDE)
    pixels = np.asarray(drawn).astype(int)
    assert np.abs(pixels[:280] - pictures.RED).max() <= 12
    assert np.abs(pixels[320:] - pictures.BLUE).max() <= 12
    job = find(large, job_id)
    assert set(job.timings or ()) == {"fetch", "decode", "draw", "device", "sign", "store"}
    with large.sessions() as session:
        (measured,) = session.scalars(select(Inference)).all()
    assert (measured.batch_size, measured.pixel_share) == (1, 1.0)


def test_while_a_place_is_taken_only_small_pictures_are_claimed(
    large: Studio, ground: Ground
) -> None:
    (job_id,) = queue_large(large, ground, pictures.png((SIDE, SIDE)))
    (small,) = queue(large, ground, [pictures.jpeg()])
    with ExitStack() as place:
        large.easel.most_pixels(place)
        assert stylize(large, Lane.CAMPAIGN)["succeeded"] == 1
        assert find(large, small).status is JobStatus.SUCCEEDED
        assert stylize(large, Lane.CAMPAIGN) == {}
        assert find(large, job_id).status is JobStatus.QUEUED
    assert stylize(large, Lane.CAMPAIGN)["succeeded"] == 1


def test_a_large_picture_leaves_its_place_also_when_it_cannot_be_drawn(
    large: Studio, ground: Ground
) -> None:
    broken, fine = queue_large(
        large, ground, pictures.truncated(pictures.png((SIDE, SIDE))), pictures.png((SIDE, SIDE))
    )
    for _ in range(2):
        stylize(large, Lane.CAMPAIGN)
    assert find(large, broken).error_code == "invalid-image"
    assert find(large, fine).status is JobStatus.SUCCEEDED


def test_small_pictures_are_drawn_while_a_large_one_is(large: Studio, ground: Ground) -> None:
    (slow,) = queue_large(large, ground, pictures.png((SIDE, SIDE)))
    quick = queue(large, ground, [pictures.jpeg() for _ in range(3)], Lane.INTERACTIVE)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: stylize(large, Lane.CAMPAIGN), range(2)))
    stylize(large, Lane.CAMPAIGN)
    done = {find(large, job_id).status for job_id in (slow, *quick)}
    assert done == {JobStatus.SUCCEEDED}


def test_suspects_do_not_hold_up_small_pictures_behind_a_large_one(
    large: Studio, ground: Ground
) -> None:
    (suspect,) = queue(large, ground, [pictures.jpeg()])
    lose(large, Lane.CAMPAIGN)
    (waiting,) = queue_large(large, ground, pictures.png((SIDE, SIDE)))
    (small,) = queue(large, ground, [pictures.webp()])
    with ExitStack() as place:
        large.easel.most_pixels(place)  # somebody draws a large picture
        assert stylize(large, Lane.SOLO) == {}
        assert stylize(large, Lane.CAMPAIGN)["succeeded"] == 1
        assert find(large, small).status is JobStatus.SUCCEEDED
    assert stylize(large, Lane.CAMPAIGN) == {}, "the suspect comes before another large one"
    assert stylize(large, Lane.SOLO)["succeeded"] == 1
    assert find(large, suspect).status is JobStatus.SUCCEEDED
    assert stylize(large, Lane.CAMPAIGN)["succeeded"] == 1
    assert find(large, waiting).status is JobStatus.SUCCEEDED


def test_a_canceled_large_picture_stops_between_tiles(large: Studio, ground: Ground) -> None:
    (job_id,) = queue_large(large, ground, pictures.png((SIDE, SIDE)))
    tiles = 0

    def submit(ask: Any) -> Any:
        nonlocal tiles
        tiles += 1
        if tiles == 3:
            cancel(large, ground, job_id)
        return large.draw(ask)

    canceling = replace(large, easel=replace(large.easel, submit=submit))
    assert stylize(canceling, Lane.CAMPAIGN)["succeeded"] == 0
    assert find(large, job_id).status is JobStatus.CANCELED
    assert tiles < 12, "of 36 tiles and a thumbnail"


def cancel(studio: Studio, ground: Ground, job_id: Any) -> None:
    from app.db import jobs

    with studio.sessions.begin() as session:
        jobs.cancel(session, ground.tenant_id, job_id)
    studio.leases.renew()


def test_a_stylizer_without_tiles_refuses_large_pictures(large: Studio, ground: Ground) -> None:
    (job_id,) = queue_large(large, ground, pictures.png((SIDE, SIDE)))
    stylize(replace(large, easel=replace(large.easel, reach=None)), Lane.CAMPAIGN)
    job = find(large, job_id)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "image-too-large")
