"""What happens to a drawn picture before it is written: its colours, and what a mask protects."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.domain.parameters import Parameters
from workers.colour import keep_colour

Pixels: TypeAlias = NDArray[np.uint8]  #: [H, W, 3], sRGB
Shape: TypeAlias = tuple[int, int]  #: height, width
Keep: TypeAlias = NDArray[np.uint8]  #: [H, W], 255 where the photograph stays

LUMA: Final = np.array([54, 183, 19], np.uint16)  #: Rec. 709 in 256ths; grey stays what it is
SOFTENED: Final = 4096  #: longest side of a mask while its edges are softened
ROWS: Final = 64  #: at a time: a mask's sums are twice as wide as what they are of


def needs_content(parameters: Parameters) -> bool:
    """Whether the photograph must be kept until its picture is drawn."""
    return parameters.keep_colour > 0 or parameters.mask is not None


def finish(drawn: Pixels, content: Pixels, keep: Keep | None, parameters: Parameters) -> Pixels:
    """
    The picture as it was asked for: colours first, then the mask.

    Pixel by pixel, so that any band of rows may be finished by itself.
    """
    if parameters.keep_colour > 0:
        drawn = keep_colour(drawn, content, parameters.keep_colour)
    return drawn if keep is None else protected(drawn, content, keep)


class Veil:
    """
    What a decoded mask keeps of a picture of `shape`, as a whole or part by part.

    The mask's luminance, stretched over the picture, with edges softened by a Gaussian blur whose
    standard deviation is `feather` of the shorter side.
    """

    def __init__(self, mask: Pixels, shape: Shape, feather: float) -> None:
        self._height, self._width = shape
        scale = min(1.0, SOFTENED / max(shape))
        size = max(1, round(self._width * scale)), max(1, round(self._height * scale))
        luma = Image.fromarray(((mask @ LUMA) >> 8).astype(np.uint8))
        if luma.size != size:
            luma = luma.resize(size, Image.Resampling.BILINEAR)
        self._luma = luma.filter(ImageFilter.GaussianBlur(feather * min(size))) if feather else luma

    def part(self, x: int, y: int, width: int, height: int) -> Keep:
        """What is kept of a rectangle of the picture."""
        across, down = self._luma.width / self._width, self._luma.height / self._height
        box = (x * across, y * down, (x + width) * across, (y + height) * down)
        part = self._luma.resize((width, height), Image.Resampling.BILINEAR, box)
        return np.asarray(part)

    @property
    def whole(self) -> Keep:
        return self.part(0, 0, self._width, self._height)


def protected(drawn: Pixels, content: Pixels, keep: Keep) -> Pixels:
    """`keep` of the content and the rest of the drawing, rounded to the nearest."""
    out = np.empty_like(drawn)
    for top in range(0, len(out), ROWS):
        rows = slice(top, top + ROWS)
        share = keep[rows, :, None].astype(np.uint16)
        sum_ = share * content[rows] + (255 - share) * drawn[rows] + np.uint16(128)
        out[rows] = (sum_ + (sum_ >> 8)) >> 8  # a division by 255, exact for all such sums
    return out
