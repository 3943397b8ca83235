"""The words and rules that need no machinery."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from app.domain.ids import new_ids
from app.domain.job import FINAL, RETRYABLE, TRANSITIONS, JobStatus, after_failure, backoff, sources
from app.domain.parameters import Output, Parameters, render_key
from app.domain.requests import CampaignRequest, JobRequest

UPLOAD = {"upload_id": "01a20327-7718-7d3f-8a30-3ff1eb792c17"}


def test_every_status_can_be_reached() -> None:
    reachable = {target for targets in TRANSITIONS.values() for target in targets}
    assert reachable | {JobStatus.QUEUED} == set(JobStatus)


def test_from_a_final_status_nothing_leads_but_a_retry() -> None:
    assert {status for status in JobStatus if status.final} == set(FINAL)
    assert all(not TRANSITIONS[status] for status in set(FINAL) - set(RETRYABLE))
    assert all(TRANSITIONS[status] == {JobStatus.QUEUED} for status in RETRYABLE)


def test_what_is_neither_open_nor_final_waits_for_a_person() -> None:
    assert [one for one in JobStatus if not one.open and not one.final] == [JobStatus.IN_REVIEW]


def test_only_what_was_made_can_be_delivered_or_rejected() -> None:
    made_before = JobStatus.QUEUED  # an equal picture of the tenant's is there
    assert sources(JobStatus.SUCCEEDED) == {made_before, JobStatus.RUNNING, JobStatus.IN_REVIEW}
    assert sources(JobStatus.IN_REVIEW) == {made_before, JobStatus.RUNNING}
    assert sources(JobStatus.REJECTED) == {JobStatus.IN_REVIEW}
    assert sources(JobStatus.EXPIRED) == {JobStatus.QUEUED}


def test_a_retryable_failure_is_retried_a_bounded_number_of_times() -> None:
    outcomes = [after_failure(failures, retryable=True) for failures in range(1, 7)]
    assert outcomes == [JobStatus.QUEUED] * 4 + [JobStatus.FAILED] * 2
    assert after_failure(1, retryable=False) is JobStatus.FAILED


def test_rests_double_up_to_a_minute() -> None:
    assert [backoff(n) for n in (1, 2, 3, 7, 60)] == [1, 2, 4, 60, 60]


def test_ids_sort_by_birth_within_a_millisecond() -> None:
    ids = new_ids(5_000)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {7}


@pytest.mark.parametrize(
    ("size", "expected"), [(None, (900, 600)), (450, (450, 300)), (2000, (900, 600))]
)
def test_outputs_fit_the_asked_side_and_are_never_enlarged(
    size: int | None, expected: tuple[int, int]
) -> None:
    assert Parameters(output=Output(size=size)).output_size(900, 600) == expected


def test_the_render_key_changes_with_everything_that_changes_the_picture() -> None:
    plain: dict[str, Any] = {
        "content": "c",
        "style": "s@1",
        "stylizer": "m",
        "parameters": Parameters(),
    }
    keys = {
        render_key(**plain),
        render_key(**plain | {"content": "d"}),
        render_key(**plain | {"style": "s@2"}),
        render_key(**plain | {"stylizer": "n"}),
        render_key(**plain | {"parameters": Parameters(strength=0.5)}),
        render_key(**plain | {"parameters": Parameters(output=Output(quality=80))}),
    }
    assert len(keys) == 6
    assert render_key(**plain) == render_key(**plain)


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({}, "789a1a131603badedeaebc7b23c420ea2a4a7fcd09f0f64edda88a56e45cb4b5"),
        ({"strength": 0.5}, "6fa870cee77041017f965832100ba548564e58291ae9249e81ef087edd87b417"),
        (
            {"output": {"size": 512, "format": "webp"}},
            "348d110996582a347392957a5216dad2e3c7e25378c0a9a0bba45e2ac80c7b0d",
        ),
    ],
)
def test_plain_requests_keep_the_render_keys_of_the_first_release(
    asked: dict[str, Any], key: str
) -> None:
    parameters = Parameters.model_validate(asked)
    assert render_key(content="c", style="s@1", stylizer="m", parameters=parameters) == key


def test_every_control_changes_the_render_key() -> None:
    mask = {"digest": "a" * 64}
    asked: list[dict[str, Any]] = [
        {},
        {"keep_colour": 0.5},
        {"variation": 0},
        {"variation": 1},
        {"deterministic": True},
        {"mask": mask},
        {"mask": mask | {"feather": 0}},
        {"mix": {"a@1": 0.5, "b@1": 0.5}},
        {"mix": {"a@1": 0.6, "b@1": 0.4}},
    ]
    keys = {
        render_key(content="c", style="s@1", stylizer="m", parameters=Parameters(**one))
        for one in asked
    }
    assert len(keys) == len(asked)


@pytest.mark.parametrize(
    "change",
    [
        {"strength": 1.01},
        {"strength": float("nan")},
        {"style": ""},
        {"style": "a\x00b"},
        {"colour": "blue"},
        {"input": {}},
        {"input": UPLOAD | {"url": "https://a.test/b.jpg"}},
        {"output": {"quality": 0}},
        {"output": {"format": "gif"}},
        {"metadata": {"a": "\ud800"}},
        {"metadata": {"a": "x" * 5_000}},
        {"metadata": {"a": float("inf")}},
        {"webhook": {"url": "https://a.test", "events": ["job.exploded"]}},
    ],
)
def test_a_request_with_anything_odd_is_refused(change: dict[str, object]) -> None:
    fine = {"style": "great-wave", "input": UPLOAD}
    JobRequest.model_validate(fine)
    with pytest.raises(ValidationError):
        JobRequest.model_validate(fine | change)


def test_the_items_of_a_campaign_have_ids_of_their_own() -> None:
    item = {"custom_id": "a", "input": UPLOAD}
    with pytest.raises(ValidationError, match="twice"):
        CampaignRequest.model_validate({"name": "n", "style": "s", "items": [item, item]})


def test_an_items_own_strength_wins() -> None:
    items = [
        {"custom_id": "a", "input": UPLOAD},
        {"custom_id": "b", "input": UPLOAD, "strength": 0.2},
    ]
    campaign = CampaignRequest.model_validate(
        {"name": "n", "style": "s", "strength": 0.7, "items": items}
    )
    assert [campaign.parameters_of(item).strength for item in campaign.items] == [0.7, 0.2]
    assert isinstance(campaign.items[0].input.upload_id, UUID)
