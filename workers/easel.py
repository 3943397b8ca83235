"""Pictures too large for one engine call: statistics from a thumbnail, then tile by tile."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.parameters import Output, OutputFormat, Parameters
from app.errors import EngineBusy, ImageTooLarge
from app.settings import Settings
from workers.asks import Ask, Cost, Stylized, Thumbnail, Tile
from workers.codec.child import Decoded
from workers.codec.encode import over_white
from workers.codec.raster import Raster
from workers.codec.strips import Sheet, Strips
from workers.engines.base import Engine
from workers.finish import Veil, finish
from workers.places import Places
from workers.tiling import Box, Cut, cuts, reduction, thumbnail_size

Pixels: TypeAlias = NDArray[np.uint8]  #: [H, W, 3], sRGB
#: What is made of a drawn part, given the part of the photograph and where it lies.
Finish: TypeAlias = Callable[[Pixels, Pixels, Box], Pixels]
#: Hears of every tile: how many are done, of how many, and the last.
Seen: TypeAlias = Callable[[int, int, Stylized], None]
Submit: TypeAlias = Callable[[Ask], "Future[Stylized]"]

THUMBNAIL: Final = 2**20  #: pixels


@dataclass(frozen=True)
class Brush:
    """How one picture is drawn."""

    style: NDArray[np.float32]  #: [K]
    strength: float  #: 0..1
    alone: bool = False  #: shares no batch
    finish: Finish = lambda drawn, content, box: drawn


def brush(style: NDArray[np.float32], parameters: Parameters, veil: Veil | None) -> Brush:
    """How a picture is drawn that was asked for with these parameters."""

    def finished(drawn: Pixels, content: Pixels, box: Box) -> Pixels:
        keep = None if veil is None else veil.part(box.x, box.y, box.width, box.height)
        return finish(drawn, content, keep, parameters)

    return Brush(style, parameters.strength, parameters.deterministic, finished)


@dataclass(frozen=True)
class Painted:
    """A finished picture: its file, what the engine spent on it, and, if kept, its pixels."""

    content: bytes
    cost: Cost
    drawn: Decoded | None = None


@dataclass(frozen=True)
class Easel:
    """
    Draws sheets with tiles of `side` pixels; whole pictures of at most `whole_pixels` need none.

    `reach` is the engine's; None draws no tiles. Any thread may call; each picture takes its
    caller's time, two times four bytes a pixel of disk, and memory for a few tiles.
    """

    strips: Strips
    submit: Submit
    reach: int | None
    side: int
    snug: bool  #: a tile fills a batch by itself: its shape need not be that of others
    whole_pixels: int
    in_flight: int  #: tiles of one picture that wait for the engine: others get their turn
    patience: float  #: seconds for one answer of the engine
    places: Places  #: callers beyond these draw small pictures meanwhile

    def takes(self, pixels: int) -> bool:
        """Whether a picture of so many is drawn here, and not in one call."""
        return pixels > self.whole_pixels

    def most_pixels(self, place: ExitStack) -> int:
        """Take a place until `place` closes: how large a picture may be; small if none is free."""
        if not self.places.take():
            return self.whole_pixels
        place.callback(self.places.leave)
        return 2**31 - 1

    def open(self, content: bytes, size: int | None) -> Sheet:
        """The picture to be drawn, on disk. Raises what `Strips.decode` does."""
        if self.reach is None:
            raise ImageTooLarge(
                "This stylizer draws pictures whole, and of at most "
                f"{self.whole_pixels:,} pixels; ask for a smaller output.size."
            )
        return self.strips.decode(content, size)

    def draw(
        self, sheet: Sheet, brush: Brush, output: Output, seen: Seen, *, keep: bool = False
    ) -> Painted:
        """
        The finished file and its cost; with `keep` all of the drawing, in memory.

        Whatever `seen` raises ends the work, as `EngineBusy`.
        """
        width, height = sheet.size
        keeps_alpha = sheet.alpha is not None and output.format is not OutputFormat.JPEG
        measured = self._measured(sheet.pixels, brush)
        spent = measured.own_ms
        tiles = cuts(width, height, side=self.side, overlap=self.reach or 0, snug=self.snug)
        with self.strips.blank(width, height, alpha=keeps_alpha) as canvas:
            drawn = self._drawn(sheet.pixels, tiles, measured.pixels, alone=brush.alone)
            for done, (cut, content, answer) in enumerate(drawn, 1):
                part = brush.finish(_core(answer.pixels, cut), _core(content, cut), cut.core)
                _put(canvas, cut.core, part, sheet.alpha)
                spent += answer.own_ms
                seen(done, len(tiles), answer)
            whole = canvas.whole() if keep else None
            return Painted(self.strips.encode(canvas, output), Cost(1, spent, 1.0), whole)

    def _measured(self, picture: Raster, brush: Brush) -> Stylized:
        small = thumbnail(picture, THUMBNAIL)
        ask = Thumbnail(small, brush.style, brush.strength, alone=brush.alone)
        return self._answer(self.submit(ask))

    def _drawn(
        self, picture: Raster, tiles: list[Cut], affine: NDArray[np.float32], *, alone: bool
    ) -> Iterator[tuple[Cut, Pixels, Stylized]]:
        """Each tile with its photograph and its drawing, a few ahead of who takes them."""
        waiting: deque[tuple[Cut, Pixels, Future[Stylized]]] = deque()
        left = iter(tiles)
        try:
            while True:
                while len(waiting) < self.in_flight and (cut := next(left, None)):
                    window = cut.window
                    content = picture.read(window.x, window.y, window.width, window.height)
                    waiting.append((cut, content, self.submit(Tile(content, affine, alone))))
                if not waiting:
                    return
                cut, content, future = waiting.popleft()
                yield cut, content, self._answer(future)
        finally:
            for _, _, future in waiting:
                future.cancel()

    def _answer(self, future: "Future[Stylized]") -> Stylized:
        try:
            return future.result(self.patience)
        except TimeoutError:
            raise EngineBusy("The engine did not answer in time.") from None


def open_easel(settings: Settings, strips: Strips, engine: Engine, submit: Submit) -> Easel:
    """Where a process draws large pictures; all its threads but one may be at it."""
    side = settings.engine.tile_side
    return Easel(
        strips,
        submit,
        reach=engine.reach,
        side=side,
        snug=2 * side**2 > settings.engine.batch_pixels,
        whole_pixels=settings.limits.whole_pixels,
        in_flight=settings.engine.tiles_at_once,
        patience=settings.worker.patience_seconds,
        places=Places(max(1, settings.worker.tickets - 1)),
    )


def tile_stage(done: int, amount: int) -> str:
    """How far a picture is, in the sixteen characters that a job has for it."""
    text = f"tile {done} of {amount}"
    return text if len(text) <= 16 else f"draw {100 * done // amount}%"


def thumbnail(picture: Raster, pixels: int) -> Pixels:
    """[H, W, 3] of about so many pixels: means of squares, and from those the rest of the way."""
    factor = reduction(picture.width, picture.height, pixels)
    width, height = -(-picture.width // factor), -(-picture.height // factor)
    small = np.empty((height, width, 3), np.uint8)
    step = max(1, 1024 // factor)
    for y in range(0, height, step):
        for x in range(0, width, step):
            left, top = x * factor, y * factor
            wide = min(step * factor, picture.width - left)
            high = min(step * factor, picture.height - top)
            block = Image.fromarray(picture.read(left, top, wide, high)).reduce(factor)
            small[y : y + step, x : x + step] = np.asarray(block)
    size = thumbnail_size(picture.width, picture.height, pixels)
    if size == (width, height):
        return small
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BOX))


def _core(window: Pixels, cut: Cut) -> Pixels:
    x, y = cut.core.x - cut.window.x, cut.core.y - cut.window.y
    return window[y : y + cut.core.height, x : x + cut.core.width]


def _put(canvas: Sheet, box: Box, part: Pixels, alpha: Raster | None) -> None:
    """Into its place, with its transparency; what cannot be transparent lies over white."""
    if alpha is not None:
        plane = alpha.read(box.x, box.y, box.width, box.height)
        if canvas.alpha is None:
            part = over_white(part, plane[:, :, 0])
        else:
            canvas.alpha.write(box.x, box.y, plane)
    canvas.pixels.write(box.x, box.y, part)
