"""Style pictures drawn by our own code, so that nobody else has a right in them."""

from collections.abc import Callable

from training.house_styles import (
    halftone,
    ink_wash,
    mosaic,
    pointillist,
    stained_glass,
    woodcut,
)
from training.house_styles.pigment import Picture

STYLES: dict[str, Callable[[int, int], Picture]] = {
    "mosaic": mosaic.draw,
    "woodcut": woodcut.draw,
    "halftone": halftone.draw,
    "stained-glass": stained_glass.draw,
    "ink-wash": ink_wash.draw,
    "pointillist": pointillist.draw,
}
