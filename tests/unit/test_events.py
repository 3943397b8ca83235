"""Bodies that every receiver takes: whatever stands in them, at most 20 kB."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.events import MAX_BODY, Event, EventType, fitting

JOB = {"job_id": str(UUID(int=1)), "status": "failed", "error_code": "invalid-image"}


def body(data: dict[str, Any]) -> bytes:
    fits = fitting(data) | {"sequence": 2**31 - 1}
    moment = datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)
    return (
        Event(id=UUID(int=1), type=EventType.ENDPOINT_DISABLED, timestamp=moment, data=fits)
        .body()
        .encode()
    )


def test_what_is_small_is_left_as_it_is() -> None:
    data = {**JOB, "metadata": {"sku": "4711"}, "error_detail": "Truncated."}
    assert fitting(data) == data


def test_what_is_too_much_is_left_out_and_named() -> None:
    data = {**JOB, "metadata": {"n": ["💐" * 4_000]}, "error_detail": "\x01" * 2_000}
    fits = fitting(data)
    assert fits["truncated"] == ["metadata"]
    assert "metadata" not in fits
    assert fits["error_detail"] == data["error_detail"]
    assert fits | JOB == fits


def test_a_long_text_is_cut_and_named() -> None:
    fits = fitting({**JOB, "error_detail": "💐" * 9_000, "metadata": {"sku": "4711"}})
    assert fits["error_detail"] == "💐" * 256 + "…"
    assert (fits["truncated"], fits["metadata"]) == (["error_detail"], {"sku": "4711"})


@pytest.mark.parametrize("number", [10**4000, 1.5e300, -(10**300)])
def test_numbers_that_grow_when_they_are_written_out_are_measured_as_sent(number: float) -> None:
    written_out = int(number) if abs(number) < 1e301 else number
    assert len(body({**JOB, "metadata": {"n": [written_out] * 700}})) <= MAX_BODY


@settings(deadline=None)  # shared machines stall
@given(
    st.dictionaries(
        st.sampled_from(["custom_id", "error_detail", "name", "url", "metadata", "counts"]),
        st.one_of(
            st.text('a\x01"💐', max_size=300).map(lambda text: text * 100),
            st.lists(st.text("a\x01💐", max_size=60), max_size=9).map(lambda words: words * 30),
            st.integers(),
        ),
    )
)
def test_no_body_is_larger_than_receivers_take(data: dict[str, Any]) -> None:
    content = body({**JOB, **data})
    assert len(content) <= MAX_BODY
    for name, value in JOB.items():
        assert f'"{name}":"{value}"'.encode() in content
