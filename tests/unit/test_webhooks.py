"""Signatures a receiver's own library accepts, and when to try again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.patience import retry_after
from app.signing import webhook_secret
from app.webhooks import DELAYS, Answer, Keys, headers, next_delay

SECRET = webhook_secret("a long random text", UUID(int=7), 1)
KEYS = Keys((SECRET,))
EVENT = UUID("018f3c5e-7a00-7000-8000-000000000001")
BODY = '{"type":"job.succeeded","data":{"note":"ü"}}'
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def middle() -> float:
    return 0.5


def test_the_receivers_library_accepts_what_we_sign() -> None:
    signed = headers(EVENT, BODY, keys=KEYS, now=datetime.now(UTC))
    assert Webhook(SECRET).verify(BODY.encode(), signed)["type"] == "job.succeeded"


def test_a_clock_in_another_zone_signs_the_same_second() -> None:
    elsewhere = datetime.now(UTC).astimezone(timezone(timedelta(hours=5, minutes=30)))
    signed = headers(EVENT, BODY, keys=KEYS, now=elsewhere)
    Webhook(SECRET).verify(BODY.encode(), signed)


def test_another_secret_or_another_body_does_not_verify() -> None:
    signed = headers(EVENT, BODY, keys=KEYS, now=datetime.now(UTC))
    other = webhook_secret("a long random text", UUID(int=7), 2)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + " ", signed)


def test_the_id_stays_over_attempts_and_the_timestamp_does_not() -> None:
    first = headers(EVENT, BODY, keys=KEYS, now=NOW)
    second = headers(EVENT, BODY, keys=KEYS, now=NOW + timedelta(seconds=5))
    assert first["webhook-id"] == second["webhook-id"] == str(EVENT)
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5
    assert first["webhook-signature"] != second["webhook-signature"]


def test_ten_attempts_spread_over_three_days() -> None:
    delays = [next_delay(n, retry_after=None, random=middle) for n in range(1, 11)]
    assert delays == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    assert sum(DELAYS) == timedelta(hours=75, minutes=35, seconds=5).total_seconds()


@pytest.mark.parametrize(("random", "factor"), [(lambda: 0.0, 0.8), (lambda: 1.0, 1.2)])
def test_delays_differ_by_a_fifth_at_most(random: Callable[[], float], factor: float) -> None:
    for attempts, delay in enumerate(DELAYS, start=1):
        assert next_delay(attempts, retry_after=None, random=random) == pytest.approx(
            delay * factor
        )


@pytest.mark.parametrize(
    ("asked", "delay"), [(1.0, 5), (90.0, 90), (86_400.0, 86_400), (1e9, 86_400), (None, 5)]
)
def test_a_receiver_may_ask_for_more_patience_up_to_a_day(asked: float, delay: float) -> None:
    assert next_delay(1, retry_after=asked, random=middle) == delay


def test_patience_buys_no_eleventh_attempt() -> None:
    assert next_delay(10, retry_after=60.0, random=middle) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sun, 22 Nov 2026 12:01:30 GMT", 90),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 12:01:30 -0000", 90),
        ("9" * 400, float("inf")),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        ("Sun, 99 Nov 2026 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str, seconds: float | None) -> None:
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "delivered", "disable"),
    [
        (200, True, False),
        (204, True, False),
        (299, True, False),
        (199, False, False),
        (301, False, False),
        (404, False, False),
        (410, False, True),
        (429, False, False),
        (500, False, False),
        (None, False, False),
    ],
)
def test_only_2xx_is_delivered_and_only_410_disables(
    status: int | None, delivered: bool, disable: bool
) -> None:
    answer = Answer(status)
    assert (answer.delivered, answer.disable) == (delivered, disable)
