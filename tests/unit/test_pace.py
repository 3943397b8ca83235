"""A claim takes what fits into its time, once that is known."""

import numpy as np

from workers.asks import Stylized
from workers.pace import FIRST_PIXELS, MOST_PIXELS, Pace


def drawn(device_ms: float, batch_size: int = 1) -> Stylized:
    pixels = np.zeros((100, 100, 3), np.uint8)
    return Stylized(batch_size, device_ms, 1 / batch_size, pixels)


def test_the_first_claim_is_small() -> None:
    assert Pace().pixels(1.0) == FIRST_PIXELS


def test_one_answer_tells_the_pace() -> None:
    pace = Pace()
    pace.measured(drawn(100))
    assert pace.pixels(1.0) == 100_000


def test_a_batch_counts_by_shares() -> None:
    pace = Pace()
    pace.measured(drawn(400, batch_size=4))
    assert pace.pixels(1.0) == 100_000


def test_one_slow_answer_changes_little() -> None:
    pace = Pace()
    for _ in range(50):
        pace.measured(drawn(100))
    pace.measured(drawn(200))
    assert 85_000 < pace.pixels(1.0) < 100_000


def test_no_engine_is_fast_enough_to_fill_the_memory() -> None:
    pace = Pace()
    pace.measured(drawn(0.0))
    assert pace.pixels(1.0) == MOST_PIXELS
