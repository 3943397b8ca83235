"""What may be asked of the engine: whole pictures, parts of large ones, and what parts need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.errors import OutputInvalid
from workers.engines.base import Engine, Pictures

Shape: TypeAlias = tuple[int, ...]  #: height, width, and what else keeps kinds of work apart


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One picture to draw."""

    pixels: NDArray[np.uint8]  #: [H, W, 3], C-contiguous
    style: NDArray[np.float32]  #: [K]
    strength: float  #: 0..1
    urgent: bool = False  #: somebody waits for this very picture
    alone: bool = False  #: company changes the last bit of a float, and somebody minds

    @property
    def shape(self) -> Shape:
        height, width, _ = self.pixels.shape
        return height, width


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A large picture made small, to measure what its tiles are drawn with."""

    pixels: NDArray[np.uint8]  #: [H, W, 3], C-contiguous
    style: NDArray[np.float32]  #: [K]
    strength: float  #: 0..1
    alone: bool = False
    urgent: ClassVar[bool] = False

    @property
    def shape(self) -> Shape:
        return *self.pixels.shape[:2], 1


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A part of a large picture; it shares batches with those of others, and never hurries."""

    pixels: NDArray[np.uint8]  #: [H, W, 3], C-contiguous
    affine: NDArray[np.float32]  #: [M], as its thumbnail measured
    alone: bool = False
    urgent: ClassVar[bool] = False

    @property
    def shape(self) -> Shape:
        return *self.pixels.shape[:2], 2


Ask: TypeAlias = Item | Thumbnail | Tile


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """What the engine spent on a picture, or on a part of one."""

    batch_size: int
    device_ms: float  #: of the whole batch
    pixel_share: float  #: its part of the batch, 0..1

    @property
    def own_ms(self) -> float:
        """Its part of the engine's time."""
        return self.device_ms * self.pixel_share


@dataclass(frozen=True, slots=True, eq=False)
class Stylized(Cost):
    """What the engine made of an ask, and what it cost."""

    pixels: NDArray[Any]  #: [H, W, 3] of uint8; for a thumbnail the affine, [M] of float32


def asked(engine: Engine, content: Pictures, items: Sequence[Ask]) -> NDArray[Any]:
    """What the engine says to a batch of one kind. Raises `OutputInvalid` where it cannot be."""
    if isinstance(items[0], Tile):
        affine = np.stack([item.affine for item in items if isinstance(item, Tile)])
        return _checked(engine.paint(content, affine), content)
    whole = [item for item in items if not isinstance(item, Tile)]
    style = np.stack([item.style for item in whole])
    strength = np.array([item.strength for item in whole], np.float32)
    if isinstance(items[0], Thumbnail):
        affine = engine.measure(content, style, strength)
        if not np.isfinite(affine).all():
            raise OutputInvalid("the engine found no finite statistics")
        return affine
    return _checked(engine.stylize(content, style, strength), content)


def _checked(stylized: Pictures, content: Pictures) -> Pictures:
    """The engine cannot lie about its answer."""
    if stylized.shape != content.shape or stylized.dtype != np.uint8:
        raise OutputInvalid(
            f"the engine answered {stylized.dtype} {list(stylized.shape)} "
            f"to uint8 {list(content.shape)}"
        )
    return stylized
