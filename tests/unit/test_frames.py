"""Renditions: what is shown of a drawing, how large, on what; and what presets may not say."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from app.domain.presets import Pinned, PresetRequest, Presets, Template
from app.domain.renditions import MAX_PIXELS, Fit, Gravity, Rendition, further
from app.domain.requests import CampaignOptions, CampaignRequest, JobRequest
from app.errors import ImageTooLarge, InvalidRequest, RenditionTooLarge
from app.planning import output_pixels
from app.settings import LimitSettings
from tests.unit import pictures
from workers.codec.child import Decoded
from workers.frames import Drawing

INPUT = {"url": "https://shop.example/a.jpg"}
LIMITS = LimitSettings()

sides = st.integers(16, 4_000)
shapes = st.tuples(st.integers(32, 5_000), st.integers(32, 5_000))


def rendition(**its: Any) -> Rendition:
    return Rendition(name="r", **its)


def framed(pixels: NDArray[np.uint8], alpha: Any = None, **its: Any) -> Decoded:
    return Drawing(pixels, alpha).framed(rendition(**its))


def quarters(size: int = 80) -> NDArray[np.uint8]:
    """Four colours, so that it shows what was cut off."""
    picture = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    picture[:half, :half], picture[:half, half:] = (250, 0, 0), (0, 250, 0)
    picture[half:, :half], picture[half:, half:] = (0, 0, 250), (250, 250, 0)
    return picture


@given(shapes, sides, sides)
def test_what_is_contained_fits_its_box_and_is_never_enlarged(
    shape: tuple[int, int], width: int, height: int
) -> None:
    frame = rendition(width=width, height=height).frame(*shape)
    assert frame.canvas == frame.size
    assert frame.size[0] <= min(width, shape[0])
    assert frame.size[1] <= min(height, shape[1])
    assert frame.enlarged <= 1
    assert frame.part == (0, 0, *shape)


@given(shapes, sides, sides, st.sampled_from(Gravity))
def test_what_covers_its_box_shows_a_part_of_the_same_shape(
    shape: tuple[int, int], width: int, height: int, gravity: Gravity
) -> None:
    wanted = rendition(width=width, height=height, fit=Fit.COVER, gravity=gravity)
    frame = wanted.frame(*shape)
    left, top, right, bottom = frame.part
    assert frame.canvas == frame.size == (width, height)
    assert -1e-6 <= left < right <= shape[0] + 1e-6
    assert -1e-6 <= top < bottom <= shape[1] + 1e-6
    assert (right - left) * height == pytest.approx((bottom - top) * width)
    assert right - left == pytest.approx(shape[0]) or bottom - top == pytest.approx(shape[1])


@given(shapes, sides, sides, st.sampled_from(Gravity))
def test_what_is_padded_lies_inside_its_box(
    shape: tuple[int, int], width: int, height: int, gravity: Gravity
) -> None:
    wanted = rendition(width=width, height=height, fit=Fit.PAD, gravity=gravity)
    frame = wanted.frame(*shape)
    assert frame.canvas == (width, height)
    assert 0 <= frame.place[0] <= width - frame.size[0]
    assert 0 <= frame.place[1] <= height - frame.size[1]
    assert frame.size[0] == width or frame.size[1] == height


@pytest.mark.parametrize(
    ("gravity", "colours"),
    [
        ("north", {(250, 0, 0), (0, 250, 0)}),
        ("south", {(0, 0, 250), (250, 250, 0)}),
        ("centre", {(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0)}),
    ],
)
def test_gravity_says_what_is_kept(gravity: str, colours: set[tuple[int, ...]]) -> None:
    shown = framed(quarters(), width=64, height=32, fit="cover", gravity=gravity).pixels
    corners = [shown[y, x].astype(int) for y in (1, -2) for x in (2, -3)]
    for corner in corners:  # where two colours meet, filters shoot over a little
        assert any(np.abs(corner - colour).max() <= 5 for colour in colours)
    for colour in colours:
        assert any(np.abs(corner - colour).max() <= 5 for corner in corners)


def test_gravity_says_where_it_lies() -> None:
    its = {"width": 64, "height": 32, "fit": "pad", "colour": "#102030"}
    for gravity, columns in {"west": range(32), "east": range(32, 64)}.items():
        shown = framed(quarters(), gravity=gravity, **its).pixels
        bare = [tuple(shown[16, x].tolist()) == (0x10, 0x20, 0x30) for x in range(64)]
        assert [x for x in range(64) if not bare[x]] == list(columns)


def test_a_box_of_the_drawings_own_size_changes_no_pixel() -> None:
    picture = np.asarray(pictures.photo((120, 90)))
    for its in ({}, {"width": 120, "height": 90, "fit": "cover"}, {"width": 400}):
        np.testing.assert_array_equal(framed(picture, **its).pixels, picture)


def test_a_smaller_one_is_what_pillow_makes_of_it() -> None:
    """An independent way: crop first, then reduce."""
    picture = pictures.photo((400, 300))
    shown = framed(np.asarray(picture), width=100, height=100, fit="cover").pixels
    theirs = picture.crop((50, 0, 350, 300)).resize((100, 100), Image.Resampling.LANCZOS)
    assert np.abs(shown.astype(int) - np.asarray(theirs)).max() <= 3


def test_transparency_is_kept_but_under_a_colour() -> None:
    alpha = np.zeros((80, 80), np.uint8)
    alpha[:, 40:] = 255
    over_white = np.where(alpha[:, :, None] > 0, quarters(), 255).astype(np.uint8)
    kept = framed(over_white, alpha, width=40)
    assert kept.alpha is not None
    assert kept.alpha[20, 5] == 0
    assert kept.alpha[20, 35] == 255
    its = {"width": 80, "height": 160, "fit": "pad", "colour": "#204060"}
    padded = framed(over_white, alpha, **its)
    assert padded.alpha is None
    assert padded.pixels[50, 5].tolist() == [0x20, 0x40, 0x60]  # shone through
    assert padded.pixels[5, 5].tolist() == [0x20, 0x40, 0x60]  # added
    assert padded.pixels[50, 70].tolist() == [0, 250, 0]


@pytest.mark.parametrize(
    ("its", "words"),
    [
        ({"fit": "cover", "width": 100}, "cover needs width and height"),
        ({"fit": "pad", "height": 100}, "pad needs width and height"),
        ({"width": 8_192, "height": 8_192}, f"at most {MAX_PIXELS:,} pixels"),
        ({"width": 15}, "greater than or equal to 16"),
        ({"width": 16_384}, "less than or equal to 16383"),
        ({"colour": "red"}, "pattern"),
        ({"suffix": "../a"}, "pattern"),
        ({"format": "gif"}, "'jpeg', 'png', 'webp' or 'avif'"),
        ({"quality": 0}, "greater than or equal to 1"),
        ({"gravity": "up"}, "north"),
        ({"rotate": 90}, "Extra inputs"),
    ],
)
def test_a_rendition_that_cannot_be_is_refused(its: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rendition(**its)


@pytest.mark.parametrize(
    ("renditions", "words"),
    [
        ([], "at least 1"),
        ([{"name": str(number)} for number in range(11)], "at most 10"),
        ([{"name": "a"}, {"name": "a", "format": "png"}], "two renditions are named 'a'"),
        (
            [{"name": "a"}, {"name": "b", "suffix": "-a"}],
            "two renditions are jpeg with the suffix '-a'",
        ),
    ],
)
def test_a_preset_that_cannot_be_is_refused(renditions: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Template.model_validate({"renditions": renditions})


def test_files_of_one_name_in_two_formats_are_two_files() -> None:
    both = [{"name": "a"}, {"name": "a-avif", "format": "avif", "suffix": "-a"}]
    endings = [one.ending for one in Template.model_validate({"renditions": both}).renditions]
    assert endings == ["-a", "-a"]


def presets(**said: Any) -> Presets:
    template = Template.model_validate({"renditions": [{"name": "a", "width": 64}], **said})
    return Presets({"brand": Pinned("brand@3", template)})


def test_a_marketer_names_the_preset_and_nothing_else() -> None:
    said = {"style": "scream", "strength": 0.4, "keep_colour": 0.2, "variation": 7}
    known = presets(**said, deterministic=True, output={"format": "webp", "size": 900})
    asked = known.options(JobRequest.model_validate({"preset": "brand", "input": INPUT}))
    parameters = asked.parameters
    assert (asked.look, parameters.preset) == ("scream", "brand@3")
    assert (parameters.strength, parameters.keep_colour, parameters.variation) == (0.4, 0.2, 7)
    assert parameters.deterministic
    assert (parameters.output.format, parameters.output.size) == ("webp", 900)
    assert [one.name for one in parameters.renditions] == ["a"]


def test_what_is_asked_for_beside_it_comes_first() -> None:
    known = presets(style="scream", strength=0.4, output={"format": "webp", "size": 900})
    body = {"preset": "brand", "input": INPUT, "strength": 1.0, "output": {"quality": 70}}
    parameters = known.options(JobRequest.model_validate(body)).parameters
    assert parameters.strength == 1.0
    output = parameters.output
    assert (output.format, output.size, output.quality) == ("webp", 900, 70)


def test_an_item_comes_before_its_preset_and_that_before_the_campaign() -> None:
    known = presets(style="scream", strength=0.4, output={"size": 900})
    body = {
        "name": "spring",
        "style": "udnie",
        "keep_colour": 0.5,
        "items": [
            {"custom_id": "1", "input": INPUT},
            {"custom_id": "2", "input": INPUT, "preset": "brand", "strength": 0.9},
        ],
    }
    request = known.options(CampaignRequest.model_validate(body))
    plain, own = map(known.item, request.all_outputs)
    assert (plain.style, own.style) == (None, "scream")
    its = request.parameters_of(own)
    assert (its.strength, its.keep_colour, its.output.size) == (0.9, 0.5, 900)
    assert (its.preset, len(its.renditions)) == ("brand@3", 1)
    assert request.parameters_of(plain) == request.parameters
    assert request.parameters.renditions == ()


def test_somebody_must_name_a_style() -> None:
    with pytest.raises(ValidationError, match="name a style, or a preset that has one") as refused:
        JobRequest.model_validate({"input": INPUT})
    assert refused.value.errors()[0]["loc"] == ("style",)
    asked = presets().options(CampaignOptions(name="x", preset="brand"))
    with pytest.raises(InvalidRequest, match="brand@3 has no style"):
        _ = asked.look


@pytest.mark.parametrize(
    ("one", "size", "error", "words"),
    [
        ({"width": 400, "height": 100, "fit": "cover"}, (100, 200), RenditionTooLarge, "4.0 times"),
        ({"width": 400, "height": 800, "fit": "pad"}, (100, 200), RenditionTooLarge, "4.0 times"),
        ({"format": "png"}, (5_000, 4_999), RenditionTooLarge, "at most 16,777,216"),
        ({"width": 64}, (5_001, 5_000), ImageTooLarge, "of a picture with renditions"),
    ],
)
def test_what_a_picture_is_too_small_or_too_large_for(
    one: dict[str, Any], size: tuple[int, int], error: type[Exception], words: str
) -> None:
    asked = presets(style="scream", renditions=[{"name": "r", **one}]).options(
        JobRequest.model_validate({"preset": "brand", "input": INPUT})
    )
    with pytest.raises(error, match=words):
        output_pixels(LIMITS, asked.parameters, *size)


def test_twice_as_large_is_allowed() -> None:
    one = {"name": "r", "width": 400, "height": 400, "fit": "cover"}
    asked = presets(style="scream", renditions=[one]).options(
        JobRequest.model_validate({"preset": "brand", "input": INPUT})
    )
    assert output_pixels(LIMITS, asked.parameters, 200, 300) == 60_000


def test_the_page_about_presets_shows_one_that_can_be_made() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "presets.md").read_text()
    [example] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert len(PresetRequest.model_validate_json(example).renditions) == 3


def test_more_and_larger_renditions_are_foreseen_to_take_more() -> None:
    small = rendition(width=64, height=64, fit="cover")
    large = rendition(width=640, height=640, fit="cover")
    one, two, more = (further(some, 1e6) for some in ([small], [small, small], [large]))
    assert two == (2 * one[0], 2 * one[1])
    assert more[0] > one[0]
    assert more[1] > one[1]
