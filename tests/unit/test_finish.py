"""What happens to a drawn picture: the colours of its photograph, its mask, its variant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray
from PIL import Image

from app.domain.parameters import Mask, Parameters
from workers.colour import FROM_CONES, FROM_LAB, LINEAR, TO_CONES, TO_LAB, keep_colour
from workers.finish import Veil, finish, needs_content, protected
from workers.variation import KEPT, varied

Pixels = NDArray[np.uint8]


def noise(height: int = 40, width: int = 52, seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def every_colour(step: int = 5) -> Pixels:
    """The corners of the cube, its edges, and a grid between: [N, 1, 3]."""
    values = np.arange(0, 256, step, dtype=np.uint8)
    return np.stack(np.meshgrid(values, values, values), axis=-1).reshape(-1, 1, 3)


def lab(pixels: Pixels) -> NDArray[np.float64]:
    """Oklab the slow way, in float64: [N, 3]."""
    cones = LINEAR.astype(np.float64)[pixels.reshape(-1, 3)] @ TO_CONES.T
    answer: NDArray[np.float64] = np.cbrt(cones) @ TO_LAB.T
    return answer


def test_oklab_is_that_of_its_article() -> None:
    white, red = lab(np.array([[[255, 255, 255]], [[255, 0, 0]]], np.uint8))
    np.testing.assert_allclose(white, [1, 0, 0], atol=1e-4)
    np.testing.assert_allclose(red, [0.62796, 0.22486, 0.12585], atol=1e-4)
    np.testing.assert_allclose(FROM_LAB @ TO_LAB, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(FROM_CONES @ TO_CONES, np.eye(3), atol=1e-5)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_picture_in_its_own_colours_is_itself(share: float) -> None:
    colours = every_colour()
    same = keep_colour(colours, colours, share)
    assert np.abs(same.astype(int) - colours).max() <= 1


def test_a_share_of_nothing_leaves_the_drawing() -> None:
    drawn, content = noise(seed=1), noise(seed=2)
    assert np.abs(keep_colour(drawn, content, 0.0).astype(int) - drawn).max() <= 1


def test_lightness_comes_from_the_drawing_and_hue_from_the_photograph() -> None:
    drawn, content = noise(200, 200, seed=1), noise(200, 200, seed=2)
    kept = lab(keep_colour(drawn, content, 1.0))
    wanted, theirs = lab(drawn), lab(content)
    assert np.abs(kept[:, 0] - wanted[:, 0]).max() < 0.02, "also where the gamut ended"
    chroma, before = np.hypot(kept[:, 1], kept[:, 2]), np.hypot(theirs[:, 1], theirs[:, 2])
    assert (chroma <= before + 0.01).all(), "nothing becomes more colourful than it was"
    turn = np.abs(np.angle((kept @ [0, 1, 1j]) / (theirs @ [0, 1, 1j])))
    assert turn[(chroma > 0.05) & (before > 0.05)].max() < 0.12


def test_colours_that_fit_are_kept_whole() -> None:
    drawn = np.full((8, 8, 3), 128, np.uint8)
    content = np.full((8, 8, 3), (150, 110, 100), np.uint8)
    kept, theirs = lab(keep_colour(drawn, content, 1.0)), lab(content)
    np.testing.assert_allclose(kept[:, 1:], theirs[:, 1:], atol=4e-3)


def test_half_a_share_lies_between() -> None:
    drawn = np.full((4, 4, 3), (60, 90, 160), np.uint8)
    content = np.full((4, 4, 3), (150, 110, 100), np.uint8)
    half = lab(keep_colour(drawn, content, 0.5))
    middle = (lab(drawn) + lab(content))[:, 1:] / 2
    np.testing.assert_allclose(half[:, 1:], middle, atol=4e-3)


def test_black_and_white_stay_what_they_are_under_any_colour() -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    vivid = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    assert np.abs(keep_colour(ends, vivid, 1.0).astype(int) - ends).max() <= 2


@given(some.integers(0, 2**32 - 1), some.floats(0, 1))
def test_any_two_pictures_make_one(seed: int, share: float) -> None:
    drawn, content = noise(9, 7, seed), noise(9, 7, seed ^ 1)
    kept = keep_colour(drawn, content, share)
    assert kept.shape == drawn.shape
    assert kept.dtype == np.uint8


def test_where_the_mask_is_white_the_photograph_stays() -> None:
    drawn, content = noise(seed=1), noise(seed=2)
    keep = np.zeros(drawn.shape[:2], np.uint8)
    keep[:, 20:] = 255
    out = protected(drawn, content, keep)
    np.testing.assert_array_equal(out[:, :20], drawn[:, :20])
    np.testing.assert_array_equal(out[:, 20:], content[:, 20:])


def test_a_grey_mask_mixes_to_the_nearest_byte() -> None:
    drawn, content = noise(130, 70, seed=1), noise(130, 70, seed=2)
    keep = np.random.default_rng(3).integers(0, 256, drawn.shape[:2], np.uint8)
    share = keep[..., None] / 255
    exact = share * content + (1 - share) * drawn
    assert np.abs(protected(drawn, content, keep) - exact).max() <= 0.5 + 1e-9


def test_a_mask_counts_by_its_luminance() -> None:
    colours = np.array([[(255, 255, 255), (0, 255, 0), (0, 0, 255), (90, 90, 90)]], np.uint8)
    assert Veil(colours, (1, 4), 0.0).whole.tolist() == [[255, 182, 18, 90]]


def test_a_mask_of_another_size_is_stretched_over_the_picture() -> None:
    halves = np.zeros((10, 10, 3), np.uint8)
    halves[:, 5:] = 255
    keep = Veil(halves, (40, 200), 0.0).whole
    assert keep.shape == (40, 200)
    assert keep[:, :80].max() == 0
    assert keep[:, 120:].min() == 255


def test_a_feathered_edge_is_soft_as_far_as_asked() -> None:
    halves = np.zeros((100, 200, 3), np.uint8)
    halves[:, 100:] = 255
    edge = Veil(halves, (100, 200), 0.1).whole[50].astype(int)
    assert (np.diff(edge) >= 0).all()
    assert edge[100 - 10] == pytest.approx(255 * 0.159, abs=8), "one standard deviation"
    assert edge[100 + 10] == pytest.approx(255 * 0.841, abs=8)
    assert (edge[60], edge[140]) == (0, 255)


@pytest.mark.parametrize("shape", [(60, 90), (70, 5000)])
def test_parts_of_a_veil_are_those_of_the_whole(shape: tuple[int, int]) -> None:
    veil = Veil(noise(50, 70), shape, 0.05)
    whole = veil.whole
    assert whole.shape == shape
    for x, y, width, height in ((0, 0, 40, 30), (31, 17, 50, 40), (shape[1] - 20, 0, 20, 60)):
        part = veil.part(x, y, width, height).astype(int)
        assert np.abs(part - whole[y : y + height, x : x + width]).max() <= 1


def test_bands_of_a_picture_are_finished_as_the_whole() -> None:
    drawn, content = noise(100, 64, seed=1), noise(100, 64, seed=2)
    keep = np.asarray(Image.linear_gradient("L").resize((64, 100)))
    parameters = Parameters(keep_colour=0.7, mask=Mask(digest="a" * 64))
    whole = finish(drawn, content, keep, parameters)
    for top in (0, 37, 90):
        rows = slice(top, top + 37)
        band = finish(drawn[rows], content[rows], keep[rows], parameters)
        np.testing.assert_array_equal(band, whole[rows])


def test_the_photograph_is_kept_only_where_it_is_needed() -> None:
    assert not needs_content(Parameters())
    assert needs_content(Parameters(keep_colour=0.1))
    assert needs_content(Parameters(mask=Mask(digest="a" * 64)))


def embedding() -> NDArray[np.float32]:
    return np.linspace(-2, 2, 64, dtype=np.float32)


def test_a_seed_is_the_same_variant_everywhere_and_forever() -> None:
    style = embedding()
    assert varied(style, None) is style
    one, again, other = varied(style, 7), varied(style, 7), varied(style, 8)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.05
    assert one.dtype == np.float32


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_every_seed_leaves_the_kept_share_of_the_photograph(seed: int) -> None:
    style = embedding()
    np.testing.assert_array_equal(varied(style, seed)[-KEPT:], style[-KEPT:])
    assert (varied(style, seed)[:-KEPT] != style[:-KEPT]).any()
