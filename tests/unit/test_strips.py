"""Large pictures from files to disk and back: what they mean is what small ones mean."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.domain.parameters import Output, OutputFormat
from app.errors import DecoderCrashed, ImageTooLarge, InvalidImage, StorageUnavailable
from app.settings import LimitSettings
from tests.unit import pictures
from workers.codec import decoder
from workers.codec.encode import encode
from workers.codec.strips import Strips, in_memory

LIMITS = LimitSettings()
STRIPS = Strips(LIMITS, None)


def gap(one: Any, two: Any) -> int:
    return int(np.abs(np.asarray(one).astype(np.int16) - np.asarray(two)).max())


def noise(*shape: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(5).integers(0, 256, (9, 9, shape[2]), np.uint8)
    size = shape[1], shape[0]
    planes = [
        Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC)
        for plane in np.moveaxis(coarse, 2, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def without_adobe(content: bytes) -> bytes:
    """The same JPEG, but nobody says whose inks these are."""
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]


SAME = {
    **{f"held {turn}": pictures.held(turn) for turn in range(1, 9)},
    "held 6, PNG": pictures.held(6, "PNG"),
    "held 8, WebP": pictures.held(8, "WEBP"),
    "progressive": pictures.jpeg(progressive=True),
    "grey": pictures.saved(pictures.photo().convert("L"), "JPEG"),
    "CMYK": pictures.cmyk((20, 200, 90, 30)),
    "CMYK of nobody": without_adobe(pictures.cmyk((20, 200, 90, 30))),
    "wide gamut": pictures.jpeg(icc_profile=pictures.wide_gamut_profile()),
    "wide gamut PNG": pictures.png(icc_profile=pictures.wide_gamut_profile()),
    "one bit": pictures.saved(pictures.photo().convert("1"), "PNG"),
    "16 bit grey": pictures.ramp_16_bit(),
    "16 bit colour": pictures.rgb_16_bit(),
    "16 bit with a hole": pictures.grey_16_bit_with_hole(),
    "palette with alpha": pictures.palette_with_alpha(),
    "alpha": pictures.with_alpha(),
    "grey with alpha": pictures.with_alpha("LA"),
    "WebP with alpha": pictures.with_alpha(format="WEBP", lossless=True),
    "alpha that hides nothing": pictures.saved(pictures.photo().convert("RGBA"), "PNG"),
    "two pictures of a phone": pictures.phone_pair(),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME.keys())
def test_strips_mean_what_the_small_decoder_means(content: bytes) -> None:
    pixels, alpha = decoder.decode(content, 0, LIMITS)
    with STRIPS.decode(content, None) as sheet:
        found = sheet.whole()
    assert gap(found.pixels, pixels) <= 2
    assert (found.alpha is None) == (alpha is None)
    assert alpha is None or found.alpha is None or gap(found.alpha, alpha) <= 2


@pytest.mark.parametrize("turn", [1, 6])
@pytest.mark.parametrize("size", [40, 333, 600])
def test_a_reduced_picture_is_the_small_decoders(turn: int, size: int) -> None:
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = turn
    content = pictures.saved(pictures.photo((640, 427)), "JPEG", quality=95, exif=exif)
    pixels, _ = decoder.decode(content, size, LIMITS)
    with STRIPS.decode(content, size) as sheet:
        assert sheet.size == pixels.size
        assert gap(sheet.whole().pixels, pixels) <= 6  # another filter of the same kind


@pytest.mark.parametrize("make", [pictures.jpeg, pictures.png, pictures.webp])
def test_a_truncated_picture_is_refused(make: Callable[..., bytes]) -> None:
    with pytest.raises(InvalidImage):
        STRIPS.decode(pictures.truncated(make((200, 200))), None)


def test_what_is_too_large_is_refused_before_it_takes_room() -> None:
    with pytest.raises(ImageTooLarge, match="200,020,000"):
        STRIPS.decode(pictures.blank(20_000, 10_001), None)


def test_a_picture_that_takes_too_long_is_ended() -> None:
    impatient = Strips(LIMITS.model_copy(update={"decode_bytes": 100 * 2**20}), None)
    with pytest.raises((DecoderCrashed, InvalidImage)):
        impatient.decode(pictures.webp_bomb(7000), None)


def test_a_directory_that_is_not_there_is_somebody_elses_fault() -> None:
    with pytest.raises(StorageUnavailable, match="scratch"):
        Strips(LIMITS, Path("/nowhere")).decode(pictures.jpeg(), None)


def test_scratch_leaves_nothing_behind(tmp_path: Path) -> None:
    strips = Strips(LIMITS, tmp_path)
    before = open_files()
    with strips.decode(pictures.jpeg(), None), strips.blank(64, 48, alpha=True):
        assert not list(tmp_path.iterdir())
    assert open_files() == before


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(
    ("format", "quality"),
    [
        (OutputFormat.JPEG, 95),
        (OutputFormat.JPEG, 70),
        (OutputFormat.PNG, 90),
        (OutputFormat.WEBP, 90),
        (OutputFormat.AVIF, 90),
        (OutputFormat.AVIF, 70),
    ],
)
def test_a_file_is_what_the_small_encoder_writes(
    format: OutputFormat, quality: int, transparent: bool
) -> None:
    transparent = transparent and format is not OutputFormat.JPEG
    pixels, output = noise(150, 130, 3), Output(format=format, quality=quality)
    alpha = noise(150, 130, 1)[:, :, 0] if transparent else None
    with STRIPS.blank(130, 150, alpha=transparent) as sheet:
        sheet.pixels.write(0, 0, pixels)
        if sheet.alpha is not None and alpha is not None:
            sheet.alpha.write(0, 0, alpha[:, :, None])
        large = Image.open(BytesIO(STRIPS.encode(sheet, output)))
    small = Image.open(BytesIO(encode(pixels, alpha, output)))
    assert large.format == small.format
    assert large.mode == small.mode
    assert gap(large, small) <= 2
    assert not large.getexif()
    assert large.info.get("icc_profile") == small.info.get("icc_profile")
    assert large.info.get("srgb") == small.info.get("srgb")


def test_what_pillow_cannot_hold_comes_small_by_strips() -> None:
    few = in_memory(LIMITS.model_copy(update={"content_pixels": 1000}))

    def decode(content: bytes, size: int | None) -> Any:
        return decoder.decode(content, size or 0, few)

    found = STRIPS.reducing(decode)(pictures.jpeg((64, 48)), 40)
    assert found.pixels.shape == (30, 40, 3)
