"""How fast this worker's engine is, learned from its own answers."""

from workers.batcher import Stylized

MOST_PIXELS = 64 * 2**20  #: of one claim, however fast the engine: they are all in memory at once
SMOOTHING = 0.1


class Pace:
    """Seconds per pixel as a running mean; a claim takes what fits into its time."""

    def __init__(self, seconds_per_pixel: float = 0.0) -> None:
        self._seconds_per_pixel = seconds_per_pixel

    def measured(self, drawn: Stylized) -> None:
        """Learn from one answer."""
        pixels = drawn.pixels.shape[0] * drawn.pixels.shape[1]
        fresh = drawn.device_ms / 1000 * drawn.pixel_share / pixels
        self._seconds_per_pixel += SMOOTHING * (fresh - self._seconds_per_pixel)

    def pixels(self, seconds: float) -> int:
        """How many pixels the engine draws in that time, within what memory allows."""
        if self._seconds_per_pixel <= 0:
            return MOST_PIXELS
        return max(1, min(MOST_PIXELS, int(seconds / self._seconds_per_pixel)))
