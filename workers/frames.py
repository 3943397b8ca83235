"""Drawings cut, fitted and padded as a preset says."""

from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageColor

from app.domain.renditions import Fit, Frame, Rendition
from workers.codec.child import Alpha, Decoded, Pixels

GAP: Final = 3.0  #: how far means of squares may come before LANCZOS does the rest


class Drawing:
    """A finished drawing, of which as many renditions are made as anybody wants."""

    def __init__(self, pixels: Pixels, alpha: Alpha | None) -> None:
        self._whole = Decoded(pixels, alpha)
        self._picture = Image.fromarray(pixels)
        self._alpha = None if alpha is None else Image.fromarray(alpha)

    def framed(self, rendition: Rendition) -> Decoded:
        """
        The pixels of a rendition; where the drawing is transparent they lie over white.

        What is padded is opaque: there its colour shines through instead.
        """
        width, height = size = self._picture.size
        frame = rendition.frame(width, height)
        if frame == Frame((0, 0, width, height), size, size, (0, 0), frame.enlarged):
            return self._whole
        picture = _shown(self._picture, frame)
        alpha = None if self._alpha is None else _shown(self._alpha, frame)
        if rendition.fit is Fit.PAD:
            return Decoded(_padded(picture, alpha, frame, rendition.colour), None)
        return Decoded(np.asarray(picture), None if alpha is None else np.asarray(alpha))


def _shown(picture: Image.Image, frame: Frame) -> Image.Image:
    box, filter = frame.part, Image.Resampling.LANCZOS
    return picture.resize(frame.size, filter, box, reducing_gap=GAP)


def _padded(picture: Image.Image, alpha: Image.Image | None, frame: Frame, colour: str) -> Pixels:
    canvas = Image.new("RGB", frame.canvas, colour)
    canvas.paste(picture if alpha is None else _over(picture, alpha, colour), frame.place)
    return np.asarray(canvas)


def _over(picture: Image.Image, alpha: Image.Image, colour: str) -> Image.Image:
    """What lies over white as it would lie over a colour: the difference, where it is clear."""
    darker = ImageChops.invert(Image.new("RGB", picture.size, ImageColor.getrgb(colour)))
    clear = ImageChops.invert(alpha)
    return ImageChops.subtract(
        picture, ImageChops.multiply(darker, Image.merge("RGB", (clear, clear, clear)))
    )
