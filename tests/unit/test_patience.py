"""How long a poller is told to wait."""

import pytest

from app.domain.patience import LATEST, SOONEST, look_again


@pytest.mark.parametrize(
    ("left", "age", "seconds"),
    [
        (0, 500.0, SOONEST),
        (9, 500.0, 1),
        (11, 500.0, 2),
        (300, 0.0, 30),
        (10**6, 0.0, LATEST),
        (None, 0.0, SOONEST),
        (None, 95.0, 10),
        (None, 10.0**6, LATEST),
        (None, -3.0, SOONEST),  # a rest after a broken attempt is not over
    ],
)
def test_an_end_is_seen_a_tenth_late_at_most(left: int | None, age: float, seconds: int) -> None:
    assert look_again(left, age) == seconds
