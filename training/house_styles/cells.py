"""Cells around seed points: the stones of a mosaic, the panes of a window."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.house_styles.noise import Field

Points: TypeAlias = NDArray[np.int64]  # [N,2], row and column
Rooms: TypeAlias = NDArray[np.int64]  # [H,W], numbers that only need to differ
Owners: TypeAlias = NDArray[np.int64]  # [H,W], the number of each pixel's cell, from 0 on


def scatter(candidates: Points, gap: Field, room: Rooms) -> Points:
    """As many of the candidates, in their order, as can stand `gap[row, column]` pixels apart.

    Only points of equal room keep their distance; the rest do not see each other.
    """
    taken = np.full(room.shape, np.iinfo(np.int64).min)
    kept = []
    for row, column in candidates:
        own = room[row, column]
        if taken[row, column] == own:
            continue
        kept.append((row, column))
        window, away = _around(row, column, int(gap[row, column]) + 1, room.shape)
        taken[window][(away < gap[row, column]) & (room[window] == own)] = own
    return np.array(kept, dtype=np.int64).reshape(-1, 2)


def tile(points: Points, room: Rooms, gap: float) -> Owners:
    """Every pixel to the nearest seed of its own room; where none is in reach, new ones are set.

    Rooms are never crossed, so that a cell is cut off where its room ends.
    """
    away = np.full(room.shape, np.inf)
    owner = np.full(room.shape, -1, dtype=np.int64)
    _claim(owner, away, points, 0, room, int(1.6 * gap))
    bare = np.argwhere(owner < 0)
    more = scatter(bare, np.full(room.shape, gap), room)
    _claim(owner, away, more, len(points), room, int(1.6 * gap))
    return owner


def average(owner: Owners, values: NDArray[np.generic]) -> Field:
    """The mean of the values [H,W] over every cell, [N]."""
    total = np.bincount(owner.ravel(), values.ravel().astype(np.float64))
    return total / np.maximum(np.bincount(owner.ravel()), 1)


def seams(owner: Owners, width: float) -> Field:
    """How close each pixel is to another cell: 1 on the seam, 0 from `width` pixels on."""
    close = np.zeros(owner.shape)
    reach = int(np.ceil(width))
    padded = np.pad(owner, reach, mode="edge")
    height, across = owner.shape
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            far = np.hypot(down, right)
            if 0 < far <= width:
                moved = padded[reach + down :, reach + right :][:height, :across]
                np.maximum(close, (moved != owner) * (1 - (far - 1) / width), out=close)
    return close


def _around(
    row: int, column: int, reach: int, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], Field]:
    """The square window about a point and how far its pixels are from it."""
    top, left = max(0, row - reach), max(0, column - reach)
    bottom, right = min(shape[0], row + reach + 1), min(shape[1], column + reach + 1)
    rows, columns = np.arange(top, bottom) - row, np.arange(left, right) - column
    away: Field = np.hypot(rows[:, None], columns[None]).astype(np.float64)
    return (slice(top, bottom), slice(left, right)), away


def _claim(owner: Owners, away: Field, points: Points, first: int, room: Rooms, reach: int) -> None:
    for number, (row, column) in enumerate(points, start=first):
        window, far = _around(row, column, reach, room.shape)
        mine = (far < away[window]) & (room[window] == room[row, column])
        away[window][mine] = far[mine]
        owner[window][mine] = number
