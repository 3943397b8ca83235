"""Further files of one drawing: cropped, fitted or padded, each in a format of its own. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field, model_validator

from app.domain.exact import Exact
from app.domain.output import FileQuality, Output, OutputFormat

MAX_RENDITIONS: Final = 10
MAX_ENLARGED: Final = 2.0  #: times, of a side: beyond, there is nothing to see but blur
MAX_PIXELS: Final = 2**24  #: of one rendition
MAX_DRAWN: Final = 25_000_000  #: pixels of the drawing they are made of: it is held in memory
LONGEST_SIDE: Final = 16_383  #: what every format holds
NAME: Final = r"[a-z0-9][a-z0-9_-]{0,31}"
PRESET: Final = r"[a-z0-9][a-z0-9-]{0,62}"

#: What a megapixel of each format takes and weighs at quality 90, as `benchmarks.formats` has it.
CPU_MS: Final = {
    OutputFormat.JPEG: 6.0,
    OutputFormat.PNG: 80.0,
    OutputFormat.WEBP: 52.0,
    OutputFormat.AVIF: 125.0,
}
STORED_BYTES: Final = {
    OutputFormat.JPEG: 250_000.0,
    OutputFormat.PNG: 1_500_000.0,
    OutputFormat.WEBP: 135_000.0,
    OutputFormat.AVIF: 190_000.0,
}
FRAMED_MS: Final = 14.0  #: of a megapixel of the drawing, for each of its renditions
SIGNED_MS: Final = 11.0
SIGNED_BYTES: Final = 5_300.0

PresetName = Annotated[str, Field(pattern=f"^{PRESET}$", examples=["brand"])]
PresetWish = Annotated[
    str,
    Field(
        pattern=f"^{PRESET}(@[1-9][0-9]{{0,8}})?$",
        description="A preset of yours, `name` or `name@version`; the version is pinned when the"
        " work is accepted. What is asked for beside it comes before what it says.",
        examples=["brand", "brand@3"],
    ),
]
Side = Annotated[int, Field(ge=16, le=LONGEST_SIDE)]


class Fit(StrEnum):
    """How a drawing comes into its box."""

    CONTAIN = "contain"  #: all of it, inside the box; never enlarged
    COVER = "cover"  #: the box is full, and what does not fit is cut off
    PAD = "pad"  #: all of it, and the rest of the box is coloured


class Gravity(StrEnum):
    """What is kept where something is cut off, and where it lies where something is added."""

    CENTRE = "centre"
    NORTH = "north"
    SOUTH = "south"
    WEST = "west"
    EAST = "east"
    NORTH_WEST = "north-west"
    NORTH_EAST = "north-east"
    SOUTH_WEST = "south-west"
    SOUTH_EAST = "south-east"

    @property
    def shares(self) -> tuple[float, float]:
        """Of what is left over, how much lies left of it, and above it."""
        across = 0.0 if "west" in self else 1.0 if "east" in self else 0.5
        return across, 0.0 if "north" in self else 1.0 if "south" in self else 0.5


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a drawing lies in a rendition; pixels, `part` of the drawing and the rest of it."""

    part: tuple[float, float, float, float]  #: left, top, right, bottom: what is shown
    size: tuple[int, int]  #: at which it is shown
    canvas: tuple[int, int]  #: of the whole rendition
    place: tuple[int, int]  #: of the upper left corner of what is shown
    enlarged: float  #: how many times

    @property
    def pixels(self) -> int:
        return self.canvas[0] * self.canvas[1]


class Rendition(Exact):
    """One more file of every drawing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{NAME}$", examples=["story"])]
    format: OutputFormat = OutputFormat.JPEG
    quality: FileQuality = 90
    width: Side | None = None
    height: Side | None = None
    fit: Fit = Fit.CONTAIN
    gravity: Gravity = Gravity.CENTRE
    colour: Annotated[
        str,
        Field(pattern="^#[0-9a-fA-F]{6}$", description="Of what `pad` adds, sRGB."),
    ] = "#ffffff"
    suffix: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,32}$",
            description="What its file is called behind the name of the picture; `-NAME` unless"
            " given.",
        ),
    ] = None

    @model_validator(mode="after")
    def _whole_box(self) -> "Rendition":
        if self.fit is not Fit.CONTAIN and (self.width is None or self.height is None):
            raise ValueError(f"{self.fit} needs width and height")
        if (self.width or 1) * (self.height or 1) > MAX_PIXELS:
            raise ValueError(f"a rendition has at most {MAX_PIXELS:,} pixels")
        return self

    @property
    def output(self) -> Output:
        """How its file is written."""
        return Output(format=self.format, quality=self.quality)

    @property
    def ending(self) -> str:
        """What its file is called behind the name of the picture."""
        return f"-{self.name}" if self.suffix is None else self.suffix

    def frame(self, width: int, height: int) -> Frame:
        """Where a drawing of that size lies in it."""
        if self.fit is Fit.COVER:
            return self._covered(width, height)
        scale = min(
            (self.width or LONGEST_SIDE) / width,
            (self.height or LONGEST_SIDE) / height,
        )
        if self.fit is Fit.CONTAIN:
            scale = min(1.0, scale if self.width or self.height else 1.0)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = self._box if self.fit is Fit.PAD else size
        across, down = self.gravity.shares
        place = round(across * (canvas[0] - size[0])), round(down * (canvas[1] - size[1]))
        return Frame((0, 0, width, height), size, canvas, place, scale)

    def _covered(self, width: int, height: int) -> Frame:
        box = self._box
        scale = max(box[0] / width, box[1] / height)
        wide, high = min(width, box[0] / scale), min(height, box[1] / scale)
        across, down = self.gravity.shares
        left, top = across * (width - wide), down * (height - high)
        return Frame((left, top, left + wide, top + high), box, box, (0, 0), scale)

    @property
    def _box(self) -> tuple[int, int]:
        return self.width or 1, self.height or 1


def further(renditions: Iterable[Rendition], pixels: float) -> tuple[float, float]:
    """
    What renditions of a drawing of so many pixels are going to take: CPU milliseconds and bytes.

    As if the drawing were square: of those that are cut or padded the size is known anyway.
    """
    side = max(1, round(pixels**0.5))
    cpu_ms, stored_bytes = 0.0, 0.0
    for one in renditions:
        megapixels = one.frame(side, side).pixels / 1e6
        cpu_ms += SIGNED_MS + FRAMED_MS * pixels / 1e6 + CPU_MS[one.format] * megapixels
        stored_bytes += SIGNED_BYTES + STORED_BYTES[one.format] * megapixels
    return cpu_ms, stored_bytes
