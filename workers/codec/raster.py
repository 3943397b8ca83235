"""Raw pixels in a file on disk, read and written in parts: pictures too large for memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.errors import StorageUnavailable
from app.images import SIDEWAYS

Pixels: TypeAlias = NDArray[np.uint8]  #: [H, W, bands]

BOTTOM_UP: Final = (3, 4, 6, 7)  #: orientations whose stored rows run the other way
RIGHT_TO_LEFT: Final = (2, 3, 7, 8)  #: and whose stored columns do


@contextmanager
def scratch(directory: Path | None, size: int) -> Iterator[int]:
    """
    A descriptor of `size` bytes on disk under no name: whatever ends us frees them.

    `None` is where the system keeps such files. Raises `StorageUnavailable` when they do not fit.
    """
    try:
        file = TemporaryFile(dir=directory)  # noqa: SIM115 - the generator is the context
    except OSError as error:
        raise StorageUnavailable(f"No scratch file for a large picture: {error}.") from error
    with file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT):
                raise
            raise StorageUnavailable(
                f"A large picture needs {size // 2**20} MiB of scratch, and there is no room."
            ) from error
        yield file.fileno()


@dataclass(frozen=True, slots=True)
class Raster:
    """
    One plane of a scratch file, seen upright: rows of `bands` bytes a pixel from `offset` on.

    Reads and writes go by the row and past no mapping, so that they cost no memory.
    """

    file: int
    offset: int
    stored: tuple[int, int]  #: width and height as they lie in the file
    bands: int
    turn: int = 1  #: EXIF orientation, 1 to 8; applied to what is read

    @property
    def width(self) -> int:
        return self.stored[1 if self.turn in SIDEWAYS else 0]

    @property
    def height(self) -> int:
        return self.stored[0 if self.turn in SIDEWAYS else 1]

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """
        [height, width, bands], C-contiguous.

        Past the right and the lower edge it goes on in reflection, as the network's own padding.
        """
        wide, high = min(width, self.width - x), min(height, self.height - y)
        pixels = self._upright(x, y, wide, high)
        if (wide, high) != (width, height):
            beyond = ((0, height - high), (0, width - wide), (0, 0))
            pixels = np.pad(pixels, beyond, mode="reflect")
        return np.ascontiguousarray(pixels)

    def write(self, x: int, y: int, pixels: Pixels) -> None:
        """Put a part in place; only into what lies as it is seen."""
        if self.turn != 1:
            raise ValueError("a turned raster is only read")
        for row, line in enumerate(np.ascontiguousarray(pixels), y):
            write_at(self.file, line.data.cast("B"), self._place(x, row))

    def whole(self) -> Pixels:
        """All of it, in memory."""
        return self.read(0, 0, self.width, self.height)

    def _upright(self, x: int, y: int, width: int, height: int) -> Pixels:
        sideways = self.turn in SIDEWAYS
        column, row, wide, high = (y, x, height, width) if sideways else (x, y, width, height)
        if self.turn in RIGHT_TO_LEFT:
            column = self.stored[0] - column - wide
        if self.turn in BOTTOM_UP:
            row = self.stored[1] - row - high
        block = self._block(column, row, wide, high)
        block = block[
            :: -1 if self.turn in BOTTOM_UP else 1, :: -1 if self.turn in RIGHT_TO_LEFT else 1
        ]
        return block.transpose(1, 0, 2) if sideways else block

    def _block(self, x: int, y: int, width: int, height: int) -> Pixels:
        block = np.empty((height, width, self.bands), np.uint8)
        if width == self.stored[0]:
            _read(self.file, block.data.cast("B"), self._place(0, y))
        else:
            for row, line in enumerate(block, y):
                _read(self.file, line.data.cast("B"), self._place(x, row))
        return block

    def _place(self, x: int, y: int) -> int:
        return self.offset + self.bands * (y * self.stored[0] + x)


def _read(file: int, view: memoryview, offset: int) -> None:
    while view:
        amount = os.preadv(file, [view], offset)
        if not amount:
            raise EOFError("the scratch file ends before its picture")
        view, offset = view[amount:], offset + amount


def write_at(file: int, view: memoryview, offset: int) -> None:
    """All of it, however often the kernel stops short."""
    while view:
        amount = os.pwrite(file, view, offset)
        view, offset = view[amount:], offset + amount
