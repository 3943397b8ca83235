"""Finished pictures as files: right pixels, right tags, nothing of where they came from."""

import os
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from app.domain.parameters import Output, OutputFormat
from app.settings import LimitSettings
from tests.unit import pictures
from workers.codec.encode import encode
from workers.codec.pool import DecodePool

PIXELS = np.asarray(pictures.photo())


def opened(content: bytes) -> Image.Image:
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture


def half_clear() -> NDArray[np.uint8]:
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :32] = 0
    return alpha


@pytest.mark.parametrize(
    ("format", "tolerance"),
    [
        (OutputFormat.JPEG, 20),
        (OutputFormat.PNG, 0),
        (OutputFormat.WEBP, 24),
        (OutputFormat.AVIF, 20),
    ],
)
def test_the_pixels_are_in_the_file(format: OutputFormat, tolerance: int) -> None:
    picture = opened(encode(PIXELS, None, Output(format=format)))
    assert picture.format == format.name
    assert (picture.mode, picture.size) == ("RGB", (64, 48))
    assert np.abs(np.asarray(picture, int) - PIXELS).max() <= tolerance


@pytest.mark.parametrize("format", [OutputFormat.PNG, OutputFormat.WEBP, OutputFormat.AVIF])
def test_alpha_is_kept_where_the_format_has_it(format: OutputFormat) -> None:
    picture = opened(encode(PIXELS, half_clear(), Output(format=format)))
    assert picture.mode == "RGBA"
    gap = np.abs(np.asarray(picture.getchannel("A"), int) - half_clear()).max()
    assert gap <= (3 if format is OutputFormat.AVIF else 0)


def test_a_jpeg_lies_over_white_where_it_was_transparent() -> None:
    picture = np.asarray(opened(encode(PIXELS, half_clear(), Output())))
    assert picture[:, :24].min() >= 250
    assert np.abs(picture[:, 40:].astype(int) - PIXELS[:, 40:]).max() <= 20


def test_chroma_is_whole_from_quality_90_on() -> None:
    files = {quality: encode(PIXELS, None, Output(quality=quality)) for quality in (89, 90)}
    sampling = {quality: opened(content).layer[0][1:3] for quality, content in files.items()}  # type: ignore[attr-defined]
    assert sampling == {89: (2, 2), 90: (1, 1)}
    files = {q: encode(PIXELS, None, Output(format=OutputFormat.AVIF, quality=q)) for q in (89, 90)}
    said = {quality: content.index(b"av1C") for quality, content in files.items()}
    halved = {q: files[q][place + 6] & 0b1100 == 0b1100 for q, place in said.items()}
    assert halved == {89: True, 90: False}


@pytest.mark.parametrize("format", [OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.AVIF])
def test_quality_decides_the_bytes(format: OutputFormat) -> None:
    sizes = [len(encode(PIXELS, None, Output(format=format, quality=q))) for q in (20, 60, 95)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("format", list(OutputFormat))
def test_the_file_says_srgb(format: OutputFormat) -> None:
    info = opened(encode(PIXELS, None, Output(format=format))).info
    if format is OutputFormat.PNG:
        assert info["srgb"] == 0
        return
    profile = ImageCms.ImageCmsProfile(BytesIO(info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_equal_pictures_are_equal_bytes_in_every_process() -> None:
    program = (
        "import hashlib, numpy as np; from app.domain.parameters import Output;"
        "from workers.codec.encode import encode;"
        "print(hashlib.sha256(encode(np.zeros((48, 64, 3), np.uint8), None, Output())).hexdigest(),"
        "__import__('workers.codec.encode').codec.encode.SRGB_PROFILE[24:36])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1
    assert str(bytes(12)) in runs.pop()


@pytest.mark.parametrize("format", list(OutputFormat))
def test_equal_pictures_are_equal_bytes_however_many_cores_there_are(format: OutputFormat) -> None:
    program = (
        "import os, sys, hashlib; os.sched_setaffinity(0, set(map(int, sys.argv[2:])));"
        "import numpy as np; from app.domain.parameters import Output;"
        "from tests.unit import pictures;"
        "from workers.codec.encode import encode; photo = np.asarray(pictures.photo((700, 900)));"
        "print(hashlib.sha256(encode(photo, None, Output(format=sys.argv[1]))).hexdigest())"
    )
    cores = sorted(os.sched_getaffinity(0))
    runs = {
        subprocess.run(
            [sys.executable, "-c", program, format.value, *map(str, some)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for some in (cores, cores[:1])
    }
    assert len(runs) == 1


@pytest.mark.parametrize("format", list(OutputFormat))
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP"])
def test_where_a_photograph_was_taken_is_not_in_the_output(
    source: str, format: OutputFormat
) -> None:
    content = pictures.located(source)
    assert opened(content).getexif().get_ifd(pictures.GPS)
    with DecodePool(1, LimitSettings()) as pool:
        decoded = pool.decode(content)
    picture = opened(encode(decoded.pixels, decoded.alpha, Output(format=format)))
    assert not picture.getexif()
    assert not {"exif", "xmp", "comment"} & picture.info.keys()


def test_a_row_of_a_batch_is_written_like_any_array() -> None:
    batch = np.stack([PIXELS, 255 - PIXELS])
    png = Output(format=OutputFormat.PNG)
    np.testing.assert_array_equal(np.asarray(opened(encode(batch[1], None, png))), 255 - PIXELS)
