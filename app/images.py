"""Looks at the header of an upload before anything is stored: what it is, and how large."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal, Protocol

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.errors import ImageTooLarge, InvalidImage

Format = Literal["jpeg", "png", "webp"]
AVIF: Final = "image/avif"

#: One parser per format, picked by magic. `Image.open` would also admit MPO through JPEG; this
#: one sees its first frame, the photograph, as the plain JPEG it is.
PARSERS: Final[dict[Format, Callable[[BytesIO], ImageFile]]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "webp": WebPImageFile,
}

#: A file of nothing but tiny segments would keep a parser busy for seconds.
HEADER_BYTES: Final = 2 * 2**20

ORIENTATION: Final = 0x0112
SIDEWAYS: Final = range(5, 9)  #: orientations that swap width and height

FOREIGN: Final = (
    (0, b"GIF8", "a GIF, a format for animations"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"II+\0", "a TIFF"),
    (4, b"ftypavi", "an AVIF"),
    (4, b"ftyphe", "a HEIC"),
    (4, b"ftypm", "a HEIC"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%PDF", "a PDF"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"\0\0\x01\0", "an icon"),
    (0, b"<svg", "an SVG"),
)


class Bounds(Protocol):
    """What a header is held against: `LimitSettings`, or a decoder child's own copy."""

    @property
    def content_pixels(self) -> int: ...
    @property
    def max_side(self) -> int: ...
    @property
    def min_side(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of a picture promise; width and height in pixels, seen upright."""

    format: Format
    width: int
    height: int

    @property
    def media_type(self) -> str:
        return f"image/{self.format}"


def inspect(content: bytes, limits: Bounds) -> Header:
    """
    Say what a picture is without decoding a pixel; costs some tens of microseconds.

    Raises `InvalidImage` (another format, animated, broken, too small) or `ImageTooLarge`.
    """
    format = _format(content)
    # WebP keeps its metadata at the end, behind the pixels; its C parser is quick.
    head = content if format == "webp" else content[:HEADER_BYTES]
    picture = _opened(head, format, limits)
    width, height = picture.size
    if orientation(picture) in SIDEWAYS:
        width, height = height, width
    return Header(format, width, height)


def media_type(content: bytes) -> str:
    """What its first bytes say it is; AVIF, too, which we write. Raises `InvalidImage`."""
    if (format := _known(content)) is None and content[4:12] == b"ftypavif":
        return AVIF  # asked last: a JPEG may hold those bytes there, too
    return f"image/{format or _format(content)}"


def open_picture(content: bytes, limits: Bounds) -> ImageFile:
    """A picture whose header has passed every check `inspect` makes; nothing decoded yet."""
    return _opened(content, _format(content), limits)


def orientation(picture: Image.Image) -> int:
    """
    How the camera was held, 1 to 8; a broken record counts as upright, like in browsers.

    Only what stands before the pixels counts, so that `inspect` and the decoder agree.
    """
    record = picture.info.get("exif")
    if record is None:
        return 1
    exif = Image.Exif()
    try:
        exif.load(record)
        value = exif.get(ORIENTATION)
    except Exception:  # the parser of a hostile record raises whatever it likes
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _format(content: bytes) -> Format:
    if (format := _known(content)) is None:
        raise InvalidImage(f"{_called(content)}; send JPEG, PNG or WebP")
    return format


def _known(content: bytes) -> Format | None:
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    return None


def _called(content: bytes) -> str:
    if not content:
        return "the file is empty"
    for offset, magic, name in FOREIGN:
        if content.startswith(magic, offset):
            return f"this is {name}"
    return "this is not a picture"


def _opened(content: bytes, format: Format, limits: Bounds) -> ImageFile:
    if format == "webp" and (promised := _webp_size(content)):
        _check_size(*promised, limits)  # its parser allocates the canvas at once
    try:
        picture = PARSERS[format](BytesIO(content))
    except Exception as error:  # SyntaxError, ValueError, struct.error, OSError, ...
        raise InvalidImage(f"the {format.upper()} header cannot be read: {error}") from error
    _check_size(*picture.size, limits)
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise InvalidImage(f"this is an animation of {frames} pictures; send one of them")
    return picture


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """The canvas of a WebP, from its first 30 bytes; None leaves the verdict to the parser."""
    head, payload = content[12:16], content[20:30]
    if len(payload) < 10:
        return None
    if head == b"VP8X":
        width, height = payload[4:7], payload[7:10]
        return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
    if head == b"VP8L":
        bits = int.from_bytes(payload[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    bits = int.from_bytes(payload[6:10], "little")
    return bits & 0x3FFF, bits >> 16 & 0x3FFF


def _check_size(width: int, height: int, limits: Bounds) -> None:
    size = f"the picture has {width} x {height} pixels"
    if max(width, height) > limits.max_side:
        raise ImageTooLarge(f"{size}; no side may exceed {limits.max_side}")
    if width * height > limits.content_pixels:
        raise ImageTooLarge(f"{size}, {width * height:,}; at most {limits.content_pixels:,}")
    if min(width, height) < limits.min_side:
        raise InvalidImage(f"{size}; no side may be shorter than {limits.min_side}")
