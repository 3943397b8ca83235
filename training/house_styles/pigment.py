"""Colours by name of hex, mixed and put onto fields."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.house_styles.noise import Field
from training.house_styles.scene import Part, Scene

Picture: TypeAlias = NDArray[np.uint8]  # [H,W,3] in sRGB
Ramps: TypeAlias = Mapping[Part, str]  # colours from dark to light, "123456 abcdef ..."


def colour(code: str) -> Field:
    """Six hex digits as [3] in 0..1."""
    return np.array([int(code[at : at + 2], 16) for at in (0, 2, 4)]) / 255.0


def colours(codes: str) -> Field:
    """Hex codes with blanks between as [N,3] in 0..1."""
    return np.stack([colour(code) for code in codes.split()])


def blend(ramp: Field, tone: Field) -> Field:
    """The colours at `tone` 0..1 of a ramp [N,3], mixed between neighbours; [...,3]."""
    stops = np.linspace(0, 1, len(ramp))
    return np.stack([np.interp(tone, stops, ramp[:, channel]) for channel in range(3)], axis=-1)


def tint(scene: Scene, ramps: Ramps, tone: Field | None = None) -> Field:
    """Every pixel in the colour that its part has at its tone, [H,W,3]."""
    tone = scene.tone if tone is None else tone
    painted = np.zeros((*scene.shape, 3))
    for part, codes in ramps.items():
        mask = scene.part == part
        painted[mask] = blend(colours(codes), tone[mask])
    return painted


def over(below: Field, above: Sequence[float] | Field, cover: Field) -> Field:
    """Opaque colour laid over a picture where `cover` [H,W] says so."""
    return below + (np.asarray(above) - below) * cover[..., None]


def finish(painted: Field, side: int) -> Picture:
    """Colours 0..1 as bytes, reduced to `side` pixels of height if they were drawn larger."""
    image = Image.fromarray((np.clip(painted, 0, 1) * 255 + 0.5).astype(np.uint8))
    if image.height != side:
        size = (round(image.width * side / image.height), side)
        image = image.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(image)
