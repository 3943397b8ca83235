"""How a large picture is cut: windows that the engine sees, and the core of each that is kept."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from typing import Final

GRID: Final = 4  #: the network halves both sides twice: a window must start where its steps do
MIN_SIDE: Final = 32  #: of a thumbnail; the network's reflection needs it


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of an upright picture."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Cut:
    """One tile: what is read for it, and what is kept of it."""

    window: Box  #: may reach past the right and lower edge, up to the next multiple of four
    core: Box


def cuts(width: int, height: int, *, side: int, overlap: int, snug: bool = False) -> list[Cut]:
    """
    The tiles of a picture, row by row; their cores cover every pixel once.

    Windows are of one shape, `side` x `side` unless the picture is smaller, and are pushed
    inwards at the edges rather than cut: so all tiles of all pictures may share batches. `snug`
    ones share none with other pictures', but are no larger than so many of them need be. A core
    stays `overlap` pixels away from its window's edges, but for those that are the picture's own.
    """
    columns = _spans(width, side, overlap, snug)
    return [
        Cut(Box(x, y, wide, high), Box(left, top, right - left, bottom - top))
        for y, high, top, bottom in _spans(height, side, overlap, snug)
        for x, wide, left, right in columns
    ]


def reduction(width: int, height: int, pixels: int) -> int:
    """By what whole number to divide both sides on the way to a thumbnail of so many pixels."""
    fits = int(sqrt(width * height / pixels))
    return max(1, min(fits, min(width, height) // MIN_SIDE))


def thumbnail_size(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Width and height of a thumbnail of at most so many pixels; more where it would be thin."""
    scale = min(1.0, max(sqrt(pixels / (width * height)), MIN_SIDE / min(width, height)))
    return max(MIN_SIDE, int(width * scale)), max(MIN_SIDE, int(height * scale))


def _spans(length: int, side: int, overlap: int, snug: bool) -> list[tuple[int, int, int, int]]:
    """Start and length of each window along one side, and from where to where its core goes."""
    padded = _up(length)
    side, overlap = side - side % GRID, _up(overlap)
    if padded <= side:
        return [(0, padded, 0, length)]
    if side <= 2 * overlap:
        raise ValueError(f"tiles of {side} pixels keep nothing beside {overlap} of overlap")
    amount = ceil((padded - 2 * overlap) / (side - 2 * overlap))
    if snug:
        side = _up(ceil((padded - 2 * overlap) / amount)) + 2 * overlap
    room = (padded - side) // GRID
    starts = [GRID * (room * i // (amount - 1)) for i in range(amount)]
    # Where two windows overlap, their cores meet in the middle.
    seams = [(one + side + two) // 2 for one, two in pairwise(starts)]
    ends = zip([0, *seams], [*seams, length], strict=True)
    return [(start, side, first, last) for start, (first, last) in zip(starts, ends, strict=True)]


def _up(length: int) -> int:
    return length + -length % GRID
