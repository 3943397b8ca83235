"""How fast this worker's engine is, learned from its own answers."""

from workers.asks import Stylized

MOST_PIXELS = 64 * 2**20  #: of one claim, however fast the engine: they are all in memory at once
FIRST_PIXELS = 2**20  #: of a claim before anything was measured
SMOOTHING = 0.1
GUESS = 1e-6  #: seconds a pixel, before anything was measured


class Pace:
    """Seconds per pixel as a running mean; a claim takes what fits into its time."""

    def __init__(self) -> None:
        self._seconds_per_pixel: float | None = None

    def measured(self, drawn: Stylized) -> None:
        """Learn from one answer."""
        pixels = drawn.pixels.shape[0] * drawn.pixels.shape[1]
        fresh = drawn.device_ms / 1000 * drawn.pixel_share / pixels
        known = fresh if self._seconds_per_pixel is None else self._seconds_per_pixel
        self._seconds_per_pixel = known + SMOOTHING * (fresh - known)

    def milliseconds(self, pixels: float) -> float:
        """How long the engine is going to draw so many."""
        return 1000 * pixels * (self._seconds_per_pixel or GUESS)

    def covers(self, milliseconds: float) -> float:
        """The pixels that take so long."""
        return milliseconds / 1000 / (self._seconds_per_pixel or GUESS)

    def pixels(self, seconds: float) -> int:
        """How many pixels the engine draws in that time, within what memory allows."""
        if self._seconds_per_pixel is None:
            return FIRST_PIXELS
        return max(1, round(min(MOST_PIXELS, seconds / max(self._seconds_per_pixel, 1e-12))))
