"""How large pictures are cut: every pixel once, and far enough from where a window ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.tiling import cuts, reduction, thumbnail_size

sides = st.integers(32, 700)


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.integers(64, 300), st.integers(0, 28), st.booleans())
def test_cores_cover_every_pixel_once(
    width: int, height: int, side: int, overlap: int, snug: bool
) -> None:
    seen = np.zeros((height, width), np.uint8)
    for cut in cuts(width, height, side=side, overlap=overlap, snug=snug):
        core = cut.core
        seen[core.y : core.y + core.height, core.x : core.x + core.width] += 1
    assert (seen == 1).all()


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.integers(64, 300), st.integers(0, 28), st.booleans())
def test_a_core_keeps_its_distance_from_edges_that_are_not_the_pictures(
    width: int, height: int, side: int, overlap: int, snug: bool
) -> None:
    for cut in cuts(width, height, side=side, overlap=overlap, snug=snug):
        window, core = cut.window, cut.core
        assert window.x == 0 or core.x - window.x >= overlap
        assert window.y == 0 or core.y - window.y >= overlap
        right, bottom = window.x + window.width, window.y + window.height
        assert right >= width or right - (core.x + core.width) >= overlap
        assert bottom >= height or bottom - (core.y + core.height) >= overlap


@given(sides, sides, st.integers(64, 300), st.booleans())
def test_windows_have_one_shape_and_start_where_the_network_steps(
    width: int, height: int, side: int, snug: bool
) -> None:
    windows = [cut.window for cut in cuts(width, height, side=side, overlap=20, snug=snug)]
    assert all(window.width <= max(side, width + 3) for window in windows)
    assert len({(window.width, window.height) for window in windows}) == 1
    assert all(number % 4 == 0 for w in windows for number in (w.x, w.y, w.width, w.height))
    assert all(w.x + w.width < width + 4 and w.y + w.height < height + 4 for w in windows)


def test_no_more_tiles_than_it_takes() -> None:
    assert len(cuts(1024, 1024, side=1024, overlap=50)) == 1
    assert len(cuts(1025, 1024, side=1024, overlap=50)) == 2
    assert len(cuts(10_000, 10_000, side=1024, overlap=50)) == 11 * 11


def test_snug_tiles_are_as_many_and_no_larger_than_they_need_be() -> None:
    fixed, snug = (cuts(5000, 5000, side=640, overlap=53, snug=snug) for snug in (False, True))
    assert len(fixed) == len(snug) == 100
    assert (fixed[0].window.width, snug[0].window.width) == (640, 604)


def test_tiles_that_would_keep_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="keep nothing"):
        cuts(2000, 2000, side=100, overlap=50)


@given(sides, st.integers(32, 65_000), st.integers(10_000, 2**20))
def test_a_thumbnail_is_small_but_never_thinner_than_the_network_sees(
    width: int, height: int, pixels: int
) -> None:
    wide, high = thumbnail_size(width, height, pixels)
    assert min(wide, high) >= 32
    assert wide * high <= pixels or min(wide, high) == 32 or (wide, high) == (width, height)
    factor = reduction(width, height, pixels)
    assert wide <= -(-width // factor)
    assert high <= -(-height // factor)
