"""
The program of a decoder child: pictures in, pixels out, under limits, knowing Pillow and no numpy.

`python -m workers.codec.decoder SOCKET SCRATCH SECONDS BYTES PIXELS MAX_SIDE MIN_SIDE`

Content and pixels travel through SCRATCH, a file in memory; SOCKET carries who is next. The
socket closes when the parent dies, and then the child ends; PR_SET_PDEATHSIG would not do,
because it fires when the thread that started the child ends.
"""

import os
import resource
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from math import ceil
from socket import socket
from time import process_time
from typing import Final, NamedTuple, cast

from PIL import Image, ImageChops, ImageCms
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from app.errors import ImageTooLarge, InvalidImage
from app.images import Bounds, open_picture, orientation
from workers.codec.wire import MESSAGE, REPLY, REQUEST, Answer

PROFILE_BYTES: Final = 2**20
WHITE: Final = (255, 255, 255)
SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Planes = tuple[Image.Image, Image.Image | None]  #: RGB, and L where the picture has alpha
Decode = Callable[[bytes, int, Bounds], Planes]


class Allowance(NamedTuple):
    """What the parent allows, in the order of the command line."""

    seconds: int  #: CPU time of one picture
    bytes: int  #: address space
    content_pixels: int
    max_side: int
    min_side: int


def decode(content: bytes, longest: int, bounds: Bounds) -> Planes:
    """
    The picture upright, in sRGB, over white, its longest side at most `longest` (0: as it is).

    Raises `InvalidImage`, `ImageTooLarge`, and whatever Pillow raises over broken pixels.
    """
    opened = open_picture(content, bounds)
    turn = orientation(opened)
    target = fitted(opened.size, longest)
    if isinstance(opened, JpegImageFile):
        # The DCT can leave out detail for free; twice the target keeps what LANCZOS needs.
        opened.draft(None, (target[0] * 2, target[1] * 2))
    opened.load()
    profile = opened.info.get("icc_profile")
    picture = _plain(opened)
    if picture.size != target:
        picture = picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture, alpha = colours(picture, profile)
    if turn in TURNS:
        picture = picture.transpose(TURNS[turn])
        alpha = alpha and alpha.transpose(TURNS[turn])
    return picture, alpha


def colours(picture: Image.Image, profile: object) -> Planes:
    """RGB as the profile means it, over white, of what `_plain` answered; and the alpha of that."""
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    return _over_white(_srgb(picture, profile), alpha), alpha


def fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`Parameters.output_size`, without importing half the house into every child."""
    scale = longest / max(size)
    if not longest or scale >= 1:
        return size
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _plain(opened: ImageFile) -> Image.Image:
    """One of RGB, RGBA (only where something is transparent), L or CMYK; 8 bits each."""
    if opened.mode.startswith("I;16"):
        return _from_16_bit(opened)
    if opened.has_transparency_data:
        picture = opened.convert("RGBA")
        opaque = picture.getchannel("A").getextrema() == (255, 255)
        return picture.convert("RGB") if opaque else picture
    if opened.mode in ("RGB", "L", "CMYK"):
        return opened
    return opened.convert("L" if opened.mode == "1" else "RGB")


def _from_16_bit(grey: Image.Image) -> Image.Image:
    """Pillow's own conversion clips at 255; the upper byte is the picture."""
    pairs = grey.tobytes("raw", "I;16")  # little-endian
    upper = Image.frombytes("L", grey.size, pairs[1::2])
    absent = grey.info.get("transparency")
    if not isinstance(absent, int):
        return upper
    lower = Image.frombytes("L", grey.size, pairs[0::2])
    same = ImageChops.darker(
        upper.point([255 * (value == absent >> 8) for value in range(256)]),
        lower.point([255 * (value == absent & 0xFF) for value in range(256)]),
    )
    return Image.merge("RGBA", (upper, upper, upper, ImageChops.invert(same)))


def _srgb(picture: Image.Image, profile: object) -> Image.Image:
    """Colours as the profile means them, RGB; without a usable one they count as sRGB."""
    if picture.mode == "RGBA":
        picture = picture.convert("RGB")  # drops alpha, leaves the colours
    if isinstance(profile, bytes) and len(profile) <= PROFILE_BYTES:
        transform = _transform(profile, picture.mode)
        if transform is not None:
            return transform.apply(picture)
    return picture.convert("RGB")


@lru_cache(maxsize=8)  # a campaign's pictures tend to share theirs, and building takes milliseconds
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way to sRGB; None for a profile that is broken, of other colours, or sRGB itself."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(
            source, SRGB, mode, "RGB", ImageCms.Intent.PERCEPTUAL
        )
    except (OSError, ValueError, TypeError):
        return None
    return transform if mode == "CMYK" or _visible(transform, mode) else None


def _visible(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Most profiles out there say sRGB, and applying them costs as much as decoding."""
    ramp = Image.linear_gradient("L")
    probe = ramp if mode == "L" else Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
    change = ImageChops.difference(transform.apply(probe), probe.convert("RGB"))
    return max(high for _, high in cast(Sequence[tuple[int, int]], change.getextrema())) > 2


def _over_white(picture: Image.Image, alpha: Image.Image | None) -> Image.Image:
    if alpha is None:
        return picture
    return Image.composite(picture, Image.new("RGB", picture.size, WHITE), alpha)


def serve(arguments: Sequence[str], decode: Decode = decode) -> None:
    """Answer requests until the parent hangs up."""
    descriptor, scratch, *rest = map(int, arguments)
    allowance = Allowance(*rest)
    line = socket(fileno=descriptor)
    confine(allowance)
    warnings.simplefilter("ignore")  # Pillow's opinions; our own limits are stricter
    line.send(REPLY.pack(Answer.PIXELS, 0, 0, 0))
    while message := line.recv(MESSAGE):
        length, longest = REQUEST.unpack(message)
        _renew(allowance.seconds)
        line.send(_answer(decode, scratch, length, longest, allowance))


def _answer(decode: Decode, scratch: int, length: int, longest: int, bounds: Bounds) -> bytes:
    def work() -> bytes:
        picture, alpha = decode(os.pread(scratch, length, 0), longest, bounds)
        behind = write(scratch, picture.tobytes(), 0)
        if alpha is not None:
            write(scratch, alpha.tobytes(), behind)
        return REPLY.pack(Answer.PIXELS, *picture.size, 3 if alpha is None else 4)

    return answered(work)


def answered(work: Callable[[], bytes]) -> bytes:
    """What `work` answers, or what it is refused with."""
    try:
        return work()
    except MemoryError:
        return REPLY.pack(Answer.STARVED, 0, 0, 0)
    except ImageTooLarge as error:
        return _refusal(Answer.TOO_LARGE, str(error))
    except InvalidImage as error:
        return _refusal(Answer.INVALID, str(error))
    except Exception as error:  # what Pillow raises over broken pixels has no common base
        return _refusal(Answer.INVALID, f"the picture is broken: {error}")


def _refusal(answer: Answer, text: str) -> bytes:
    return REPLY.pack(answer, 0, 0, 0) + text.encode(errors="replace")[: MESSAGE - REPLY.size]


def write(scratch: int, block: bytes, offset: int) -> int:
    """All of a block, at its place; returns how much that was."""
    view = memoryview(block)
    while view:
        amount = os.pwrite(scratch, view, offset)
        view, offset = view[amount:], offset + amount
    return len(block)


def confine(allowance: Allowance) -> None:
    """What a decoder never needs is out of its reach, whatever a picture makes of it."""
    largest = 4 * allowance.content_pixels + 2**26  # content or planes, whichever is larger
    for limit, amount in (
        (resource.RLIMIT_AS, allowance.bytes),
        (resource.RLIMIT_FSIZE, largest),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(limit, (amount, amount))


def _renew(seconds: int) -> None:
    """Move the limit ahead of what is used up: the kernel ends a picture that takes longer."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(process_time()) + seconds, hard))


if __name__ == "__main__":
    serve(sys.argv[1:])
