"""XMP inside an AVIF stands where the encoder itself would have put it."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from app.domain.parameters import Output, OutputFormat
from tests.unit import pictures
from workers.codec.encode import encode
from workers.codec.tags import avif
from workers.marking.boxes import described

AVIF = Output(format=OutputFormat.AVIF)
TEXT = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"a" * 400 + b"</x:xmpmeta>"


def photo(*, transparent: bool) -> Image.Image:
    picture = pictures.photo()
    if transparent:
        picture.putalpha(Image.fromarray(np.full((48, 64), 128, np.uint8)))
    return picture


@pytest.mark.parametrize("transparent", [False, True])
def test_it_is_what_the_encoder_writes_that_is_given_the_text(transparent: bool) -> None:
    """An independent writer, byte for byte: it builds the boxes from nothing."""
    picture = photo(transparent=transparent)
    alpha = np.asarray(picture.getchannel("A")) if transparent else None
    plain = encode(np.asarray(picture.convert("RGB")), alpha, AVIF)
    theirs = BytesIO()
    picture.save(theirs, "AVIF", xmp=TEXT, **avif(AVIF.quality))
    assert described(plain, TEXT) == theirs.getvalue()


def test_nothing_that_is_seen_changes() -> None:
    plain = encode(np.asarray(pictures.photo()), None, AVIF)
    with (
        Image.open(BytesIO(plain)) as one,
        Image.open(BytesIO(described(plain, TEXT))) as other,
    ):
        assert other.info["xmp"] == TEXT
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0\0\0\x08free",
        lambda content: content.replace(b"iinf", b"iinx"),
        lambda content: content.replace(b"iloc\0\0\0\0\x44", b"iloc\0\0\0\0\x88"),
        lambda content: b"",
    ],
    ids=["cut", "another box", "no items", "other widths", "nothing"],
)
def test_a_file_of_another_making_is_refused(change: Callable[[bytes], bytes]) -> None:
    content = change(encode(np.asarray(pictures.photo()), None, AVIF))
    with pytest.raises(ValueError, match=r"AVIF|box"):
        described(content, TEXT)
