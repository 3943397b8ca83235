"""What the header of an upload gives away, and which headers are turned away."""

from collections.abc import Callable
from io import BytesIO
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.errors import ImageTooLarge, InvalidImage
from app.images import Header, inspect
from app.settings import LimitSettings
from tests.unit import pictures

LIMITS = LimitSettings()


@pytest.mark.parametrize(
    ("content", "format"),
    [(pictures.jpeg(), "jpeg"), (pictures.png(), "png"), (pictures.webp(), "webp")],
)
def test_a_picture_says_its_format_and_its_size(content: bytes, format: str) -> None:
    header = inspect(content, LIMITS)
    assert (header.format, header.media_type) == (format, f"image/{format}")
    assert (header.width, header.height) == (64, 48)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_the_one_seen_upright(orientation: int, format: str) -> None:
    header = inspect(pictures.held(orientation, format), LIMITS)
    assert (header.width, header.height) == ((64, 48) if orientation < 5 else (48, 64))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow says so, and reads on
def test_a_broken_exif_record_counts_as_upright() -> None:
    content = pictures.jpeg(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert inspect(content, LIMITS) == Header("jpeg", 64, 48)


def test_a_lossless_webp_and_one_with_alpha_say_their_size() -> None:
    for content in (pictures.webp(lossless=True), pictures.with_alpha(format="WEBP")):
        assert inspect(content, LIMITS) == Header("webp", 64, 48)


def test_a_phones_picture_pair_counts_as_its_first_picture() -> None:
    content = pictures.phone_pair()
    with Image.open(BytesIO(content)) as pair:
        assert pair.format == "MPO"
    assert inspect(content, LIMITS) == Header("jpeg", 64, 48)


@pytest.mark.parametrize("format", ["WEBP", "PNG"])
def test_an_animation_is_refused_as_one(format: str) -> None:
    with pytest.raises(InvalidImage, match="animation of 3 pictures"):
        inspect(pictures.animated(format), LIMITS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pictures.animated("GIF"), "this is a GIF, a format for animations; send JPEG"),
        (pictures.saved(pictures.photo(), "BMP"), "this is a BMP; send JPEG, PNG or WebP"),
        (pictures.saved(pictures.photo(), "TIFF"), "this is a TIFF; send JPEG, PNG or WebP"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "this is a HEIC; send JPEG"),
        (b"%PDF-1.7", "this is a PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is an SVG"),
        (b"Dear customer, see the attached holiday.jpg", "this is not a picture"),
        (b"", "the file is empty"),
    ],
)
def test_what_is_not_a_picture_of_ours_is_told_what_it_is(content: bytes, said: str) -> None:
    with pytest.raises(InvalidImage, match=said):
        inspect(content, LIMITS)


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (pictures.png_bomb(66_000), "66000 x 66000 pixels; no side may exceed 65500"),
        (pictures.png_bomb(16_000), r"16000 x 16000 pixels, 256,000,000; at most 200,000,000"),
        (pictures.webp_bomb(16_000), r"16000 x 16000 pixels, 256,000,000; at most 200,000,000"),
        (pictures.strip(), "70000 x 10 pixels; no side may exceed 65500"),
    ],
)
def test_too_many_pixels_are_refused_with_the_numbers(content: bytes, numbers: str) -> None:
    with pytest.raises(ImageTooLarge, match=numbers):
        inspect(content, LIMITS)


def test_a_single_pixel_is_too_small() -> None:
    with pytest.raises(InvalidImage, match="1 x 1 pixels; no side may be shorter than 32"):
        inspect(pictures.png((1, 1)), LIMITS)


def test_a_long_strip_is_too_thin() -> None:
    with pytest.raises(InvalidImage, match="20000 x 10 pixels; no side may be shorter than 32"):
        inspect(pictures.strip(20_000, 10), LIMITS)


def test_two_hundred_megapixels_are_taken_and_one_row_more_is_not() -> None:
    header = inspect(pictures.blank(20_000, 10_000), LIMITS)
    assert (header.width, header.height) == (20_000, 10_000)
    with pytest.raises(ImageTooLarge, match="200,020,000; at most 200,000,000"):
        inspect(pictures.blank(20_000, 10_001), LIMITS)


@pytest.mark.parametrize("make", [pictures.jpeg, pictures.png, pictures.webp])
def test_a_header_cut_short_is_refused(make: Callable[[], bytes]) -> None:
    for length in (3, 8, 12, 16, 20, 24):
        with pytest.raises(InvalidImage):
            inspect(make()[:length], LIMITS)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from([pictures.jpeg(), pictures.png(), pictures.webp()]), st.data())
def test_a_damaged_header_is_read_or_refused_and_nothing_else(
    content: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(content)
    for _ in range(4):
        damaged[data.draw(st.integers(0, min(200, len(content) - 1)))] = data.draw(
            st.integers(0, 255)
        )
    try:
        header = inspect(bytes(damaged), LIMITS)
    except (InvalidImage, ImageTooLarge):
        return
    assert LIMITS.min_side <= min(header.width, header.height)
    assert max(header.width, header.height) <= LIMITS.max_side


def test_a_file_of_tiny_segments_does_not_keep_the_parser_busy() -> None:
    content = b"\xff\xd8" + b"\xff\xfe\0\x02" * (LIMITS.body_bytes // 4 - 1)
    start = perf_counter()
    with pytest.raises(InvalidImage):
        inspect(content, LIMITS)
    assert perf_counter() - start < 3.0  # parsed to its end it takes five times as long
