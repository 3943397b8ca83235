"""A drawn picture in the colours of its photograph, by way of Oklab (Björn Ottosson, 2020)."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]  #: [..., 3], sRGB
Floats: TypeAlias = NDArray[np.float32]  #: [3, N], one row per channel

STRIP: Final = 2**14  #: pixels at a time: what they become fits the caches
ROUNDS: Final = 4  #: of reducing chroma; after them no hue is off by more than 0.06 radians
NEAR: Final = np.float32(1e-4)  #: as far out of the gamut as rounding may bring a colour in it
STEPS: Final = 2**14  #: of the way back to sRGB: even the darkest byte is several steps wide

#: The matrices of the article: linear sRGB to cone responses, their cube roots to L, a, b.
TO_CONES: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
CONES: Final = TO_CONES.astype(np.float32)
LAB: Final = TO_LAB.astype(np.float32)
FROM_LAB: Final = np.linalg.inv(TO_LAB).astype(np.float32)
FROM_CONES: Final = np.linalg.inv(TO_CONES).astype(np.float32)


def _linear(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sRGB transfer function, 0..1 to 0..1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


LINEAR: Final = _linear(np.arange(256) / 255).astype(np.float32)
#: The byte whose linear value is nearest, for each of `STEPS` + 1 linear values.
ENCODED: Final = np.searchsorted(
    _linear((np.arange(255) + 0.5) / 255), np.arange(STEPS + 1) / STEPS
).astype(np.uint8)


def keep_colour(drawn: Pixels, content: Pixels, share: float) -> Pixels:
    """
    The lightness of `drawn` with `share` (0..1) of the chroma of `content`, the rest its own.

    Both are [H, W, 3]. What no screen can show is brought back by less chroma, at the same
    lightness and hue. Works in strips: beside the answer it takes a few megabytes.
    """
    out = np.empty_like(drawn)
    pairs = drawn.reshape(-1, 3), content.reshape(-1, 3)
    flat = out.reshape(-1, 3)
    for start in range(0, len(flat), STRIP):
        strip = slice(start, start + STRIP)
        flat[strip] = _recoloured(pairs[0][strip], pairs[1][strip], np.float32(share))
    return out


def _recoloured(drawn: Pixels, content: Pixels, share: np.float32) -> Pixels:
    lab, theirs = _oklab(drawn), _oklab(content)
    lab[1:] += share * (theirs[1:] - lab[1:])
    return _encoded(_in_gamut(lab))


def _oklab(pixels: Pixels) -> Floats:
    cones = CONES @ LINEAR[pixels.T]
    # The cube root by way of logarithms: these are vectorised, np.cbrt is not.
    np.maximum(cones, np.float32(1e-12), out=cones)
    np.log(cones, out=cones)
    cones *= np.float32(1 / 3)
    np.exp(cones, out=cones)
    lab: Floats = LAB @ cones
    return lab


def _rgb(lab: Floats) -> Floats:
    roots = FROM_LAB @ lab
    rgb: Floats = FROM_CONES @ (roots * roots * roots)
    return rgb


def _in_gamut(lab: Floats) -> Floats:
    """Linear sRGB, 0..1. Of colours outside, the chroma shrinks; lightness and hue stay."""
    rgb = _rgb(lab)
    outside = np.flatnonzero((rgb.min(axis=0) < -NEAR) | (rgb.max(axis=0) > 1 + NEAR))
    if outside.size:
        colours = lab[:, outside]
        np.clip(colours[0], 0, 1, out=colours[0])
        grey = colours[0] ** 3
        for _ in range(ROUNDS):
            colours[1:] *= _part_inside(_rgb(colours), grey)
        rgb[:, outside] = _rgb(colours)
    return np.clip(rgb, 0, 1, out=rgb)


def _part_inside(rgb: Floats, grey: Floats) -> Floats:
    """How far one may go from the grey of that lightness towards a colour, 0..1."""
    way = rgb - grey
    room = np.where(way > 0, 1 - grey, grey)
    part: Floats = (room / np.maximum(np.abs(way), np.float32(1e-9))).min(axis=0)
    return np.minimum(1, part)


def _encoded(rgb: Floats) -> Pixels:
    rgb *= np.float32(STEPS)
    rgb += np.float32(0.5)
    return ENCODED[rgb.astype(np.uint16)].T
