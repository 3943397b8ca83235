"""A worker that cannot be trusted any more, with real rows: unready, jobs given back, gone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app import exits
from app.domain.job import JobStatus, Lane
from tests.integration.test_pipeline import (  # noqa: F401 - fixtures
    announced,
    decoders,
    find,
    ground,
    picture,
    queue,
    studio,
)
from tests.rows import Ground
from workers.batcher import Batcher
from workers.batches import Budget
from workers.claims import claim
from workers.engines.null import NullEngine
from workers.fitness import Fitness
from workers.pipeline import stylize
from workers.retirement import Retirement
from workers.studio import Studio

LARGE = 80  #: side of a picture that the engine below has no memory for


@pytest.fixture
def ends() -> list[int]:
    return []


@pytest.fixture
def signs(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "ready", tmp_path / "alive"]
    for file in files:
        file.touch()
    return files


@pytest.fixture
def failing(studio: Studio, signs: list[Path], ends: list[int]) -> Iterator[Studio]:  # noqa: F811
    """Draws 64 pixels square and no more; goes after three jobs that broke."""
    retirement = Retirement(studio.leases, "w", signs, Fitness(3), ends.append)
    engine = NullEngine(pixels=64 * 64)
    with Batcher(engine, budget=Budget(8, 2**22), capacity=64) as batcher:
        yield replace(studio, draw=batcher.submit, judging=retirement.judging)


def test_a_worker_that_only_fails_goes_and_gives_back_what_it_holds(
    failing: Studio,
    ground: Ground,  # noqa: F811
    signs: list[Path],
    ends: list[int],
) -> None:
    [innocent] = queue(failing, ground, [picture(99)], Lane.INTERACTIVE)
    group = claim(failing, Lane.INTERACTIVE, limit=1, crashes=9, largest=2**31 - 1)
    held = [work.held for work in group.works]
    broken = queue(failing, ground, [picture(shade, LARGE) for shade in range(4)])
    with failing.leases.hold(held):
        assert stylize(failing, Lane.CAMPAIGN)["broken"] == 4
    assert ends == [exits.UNFIT]
    assert not any(sign.exists() for sign in signs)
    for job_id in broken:
        job = find(failing, job_id)
        assert (job.status, job.failures) == (JobStatus.QUEUED, 1)  # tried again, and counted
    given_back = find(failing, innocent)
    assert (given_back.status, given_back.failures) == (JobStatus.QUEUED, 0)


def test_a_picture_that_is_drawn_in_between_keeps_the_worker(
    failing: Studio,
    ground: Ground,  # noqa: F811
    ends: list[int],
) -> None:
    queue(failing, ground, [picture(1, LARGE), picture(2, LARGE), picture(3)])
    queue(failing, ground, [picture(4, LARGE), picture(5, LARGE)])
    assert stylize(failing, Lane.CAMPAIGN) == {"claimed": 5, "succeeded": 1, "broken": 4}
    assert ends == []


def test_pictures_that_nobody_could_read_do_not_count(
    failing: Studio,
    ground: Ground,  # noqa: F811
    ends: list[int],
) -> None:
    queue(failing, ground, [b"no picture %d" % number for number in range(5)])
    assert stylize(failing, Lane.CAMPAIGN)["broken"] == 5
    assert ends == []
