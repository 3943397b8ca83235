"""Deadlines, review rules and what is odd about a picture, as words and numbers."""

from uuid import UUID

import numpy as np
import pytest
from pydantic import ValidationError

from app.domain.ids import new_ids
from app.domain.review import BulkVerdict, Verdict
from app.domain.terms import Review, seconds
from tests.unit.test_finish import noise
from workers.warnings import SIDE, sample, warnings


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1), ("600s", 600), ("10M", 600), (" 2h ", 7200), ("30d", 2592000)]
)
def test_durations_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert seconds(text) == expected


def test_a_sample_is_of_the_size_that_was_asked_for() -> None:
    ids = new_ids(20_000)
    for share in (2.0, 25.0, 100.0):
        rule = Review.parse(f"sample:{share}%")
        drawn = sum(rule.wants(job_id) for job_id in ids)
        assert drawn == pytest.approx(share / 100 * len(ids), rel=0.25)


def test_a_sample_is_the_same_at_every_attempt_and_a_larger_one_holds_it() -> None:
    ids = new_ids(1_000)
    small, large = Review.parse("sample:5%"), Review.parse("sample:20.5%")
    drawn = {job_id for job_id in ids if small.wants(job_id)}
    assert drawn == {job_id for job_id in ids if small.wants(UUID(str(job_id)))}
    assert drawn <= {job_id for job_id in ids if large.wants(job_id)}


def test_rules_that_look_at_warnings_look_at_nothing_else() -> None:
    [job_id] = new_ids(1)
    assert Review.parse("on-warning").wants(job_id, ["flat"])
    assert not Review.parse("on-warning").wants(job_id, [])
    assert Review.parse("all").wants(job_id)


def test_a_verdict_reads_as_a_sentence_in_the_history() -> None:
    verdict = Verdict.model_validate(
        {"decision": "reject", "reason_code": "off-brand", "note": "Too blue."}
    )
    assert verdict.said == "rejected: off-brand: Too blue."
    assert Verdict.model_validate({"decision": "approve"}).said == "approved"
    kept = verdict.kept("key:abc")
    assert kept == {
        "by": "key:abc",
        "decision": "reject",
        "reason_code": "off-brand",
        "note": "Too blue.",
    }


def test_a_verdict_on_everything_needs_a_query() -> None:
    with pytest.raises(ValidationError, match="query must say something"):
        BulkVerdict.model_validate({"decision": "approve", "query": {}})


def test_samples_are_small_whatever_they_are_of() -> None:
    for shape in ((32, 32), (64, 4096), (3000, 2000)):
        assert max(sample(noise(*shape)).shape[:2]) <= 2 * SIDE


def test_a_picture_of_nearly_one_colour_is_flat() -> None:
    rng = np.random.default_rng(1)
    grey = np.full((48, 64, 3), 90, np.uint8) + rng.integers(0, 3, (48, 64, 3), np.uint8)
    assert warnings(grey, noise(48, 64), strength=1.0) == ("flat",)
    assert warnings(noise(48, 64), None, strength=1.0) == ()


def test_a_picture_that_nothing_was_done_to_is_unchanged_unless_that_was_the_wish() -> None:
    photo = noise(48, 64)
    nearly = np.clip(photo.astype(int) + 1, 0, 255).astype(np.uint8)
    assert warnings(nearly, photo, strength=0.8) == ("unchanged",)
    assert warnings(nearly, photo, strength=0.0) == ()
    assert warnings(255 - photo, photo, strength=0.8) == ()
