"""Smooth randomness: the same shapes at every size, because only the grid is random."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field: TypeAlias = NDArray[np.float64]
Rng: TypeAlias = np.random.Generator


def stretch(grid: Field, shape: tuple[int, int]) -> Field:
    """A small grid drawn out smoothly to `shape` (height, width)."""
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BICUBIC), dtype=np.float64)


def mist(rng: Rng, shape: tuple[int, int], cell: float, octaves: int = 3) -> Field:
    """Fractal noise about 0, mostly within -1..1; `cell` is its grain as a share of the height."""
    height, width = shape
    total = np.zeros(shape)
    for octave in range(octaves):
        rows = max(2, round(2**octave / cell))
        columns = max(2, round(rows * width / height))
        total += stretch(rng.uniform(-1, 1, (rows, columns)), shape) * 0.5**octave
    return total


def soften(field: Field, radius: float) -> Field:
    """A blur of about `radius` pixels, cheap because it goes through a smaller picture."""
    height, width = field.shape
    small = (max(1, round(width / radius)), max(1, round(height / radius)))
    image = Image.fromarray(field.astype(np.float32)).resize(small, Image.Resampling.BOX)
    return stretch(np.asarray(image, dtype=np.float64), field.shape)


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high`, an S between; `low` may be the larger one."""
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def streaks(rng: Rng, angle: Field, length: int) -> Field:
    """Noise drawn out along a direction field, deviation 1: hair, wood, the marks of a brush."""
    grain = rng.normal(0, 1, angle.shape).astype(np.float32)
    height, width = grain.shape
    down, right = (turn(angle).astype(np.float32).ravel() for turn in (np.sin, np.cos))
    rows, columns = (axis.astype(np.float32).ravel() for axis in np.indices(grain.shape))
    flat, total = grain.ravel(), grain.ravel().copy()
    for side in (-1, 1):
        y, x, at = rows.copy(), columns.copy(), np.arange(flat.size)
        for _ in range(length // 2):
            y += side * down[at]
            x += side * right[at]
            np.clip(y, 0, height - 1, out=y)
            np.clip(x, 0, width - 1, out=x)
            at = y.astype(np.int64) * width + x.astype(np.int64)
            total += flat[at]
    drawn: Field = (total / total.std()).reshape(grain.shape).astype(np.float64)
    return drawn
