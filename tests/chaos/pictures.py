"""Small pictures that can be told apart after a stylizer that changes nothing."""

from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageStat

SIDE = 64
STEPS = (20, 92, 164, 236)  #: levels of each channel, far enough apart for JPEG
AMOUNT = len(STEPS) ** 3


@lru_cache
def picture(number: int) -> bytes:
    """One of `AMOUNT` plain JPEGs, each of another colour."""
    red, rest = divmod(number % AMOUNT, len(STEPS) ** 2)
    green, blue = divmod(rest, len(STEPS))
    buffer = BytesIO()
    colour = (STEPS[red], STEPS[green], STEPS[blue])
    Image.new("RGB", (SIDE, SIDE), colour).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def colour(content: bytes) -> tuple[float, ...]:
    """The mean of each channel of a picture that must decode."""
    with Image.open(BytesIO(content)) as opened:
        return tuple(ImageStat.Stat(opened.convert("RGB")).mean)


def alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two pictures show the same plain colour."""
    return all(abs(a - b) < 24 for a, b in zip(one, other, strict=True))
