"""What is odd about an output, measured on a few thousand of its pixels."""

from typing import Final

import numpy as np

from app import metrics
from app.domain.review import FLAT, UNCHANGED
from workers.finish import Pixels

SIDE: Final = 64  #: pixels of a sample's longer side
LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)  #: Rec. 709
FLAT_BELOW: Final = 2.0  #: levels of 255, standard deviation of luminance: no eye sees a motif
UNCHANGED_BELOW: Final = 2.0  #: levels of 255, mean difference: JPEG at quality 90 differs as much


def sample(pixels: Pixels) -> Pixels:
    """[h, w, 3] of about `SIDE` pixels a side, every n-th; a copy, so that the rest may go."""
    step = max(1, max(pixels.shape[:2]) // SIDE)
    return pixels[::step, ::step].copy()


def warnings(drawn: Pixels, content: Pixels | None, *, strength: float) -> tuple[str, ...]:
    """
    Of two samples: `flat` where there is nothing to see, `unchanged` where nothing was done.

    At strength 0 the photograph is what was asked for. Without `content` only flatness is told.
    """
    found = []
    spread = float((drawn.astype(np.float32) @ LUMA).std())
    metrics.deviation.observe(spread)
    if spread < FLAT_BELOW:
        found.append(FLAT)
    if content is not None and strength > 0 and drawn.shape == content.shape:
        apart = np.abs(drawn.astype(np.int16) - content).mean()
        if float(apart) < UNCHANGED_BELOW:
            found.append(UNCHANGED)
    return tuple(found)
