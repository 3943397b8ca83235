"""Marks of a brush, laid one over the other."""

import numpy as np

from training.house_styles.noise import Field


def press(
    canvas: Field, at: tuple[float, float], size: tuple[float, float], angle: float
) -> tuple[tuple[slice, slice], Field, Field]:
    """The window of a mark on [H,W,...], and along and across it there, -1..1 inside the mark.

    `at` is row and column, `size` half its length and half its width in pixels.
    """
    row, column = at
    length, width = size
    reach = int(max(length, width)) + 2
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    window = (
        slice(top, min(canvas.shape[0], int(row) + reach)),
        slice(left, min(canvas.shape[1], int(column) + reach)),
    )
    down, right = np.ogrid[window]
    cos, sin = np.cos(angle), np.sin(angle)
    along = ((right - column) * cos + (down - row) * sin) / length
    across = ((down - row) * cos - (right - column) * sin) / width
    return window, along, across
