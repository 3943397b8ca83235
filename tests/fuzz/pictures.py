"""Any bytes are a picture whose header kept its word, or are refused in words of ours."""

from dataclasses import dataclass
from typing import Final

from app.errors import ClientError, ImageTooLarge, InvalidImage
from app.images import AVIF, inspect, media_type
from workers.codec.decoder import decode, fitted

LONGEST: Final = 64  #: pixels of the side that the decoder is asked for


@dataclass(frozen=True)
class Small:
    """Bounds that keep an input quick; the real ones only differ in number."""

    content_pixels: int = 2**20
    max_side: int = 16_384
    min_side: int = 1


BOUNDS: Final = Small()


def picture(content: bytes) -> str:
    """How it ended, in a word; raises `AssertionError` where a promise was broken."""
    try:
        header = inspect(content, BOUNDS)
    except (InvalidImage, ImageTooLarge) as error:
        _assert_told(error)
        return "refused"
    assert header.width * header.height <= BOUNDS.content_pixels
    assert max(header.width, header.height) <= BOUNDS.max_side
    assert media_type(content) == header.media_type != AVIF
    try:
        planes, alpha = decode(content, LONGEST, BOUNDS)
    except Exception as error:  # the child answers with it: what Pillow raises has no base
        _assert_told(error)
        return "broken"
    assert planes.mode == "RGB"
    assert planes.size == fitted((header.width, header.height), LONGEST)
    assert alpha is None or (alpha.mode, alpha.size) == ("L", planes.size)
    return "decoded"


def _assert_told(error: Exception) -> None:
    """A refusal reaches callers as text: it has to be some, and one that UTF-8 can say."""
    assert str(error).strip() or not isinstance(error, ClientError)
    str(error).encode(errors="replace")
