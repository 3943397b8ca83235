"""An easel for tests, which would not wait for pictures of megapixels."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from app.settings import LimitSettings
from workers.asks import Ask, Stylized
from workers.codec.strips import Strips
from workers.easel import Easel
from workers.places import Places

LIMITS = LimitSettings()


def new_easel(
    submit: Callable[[Ask], "Future[Stylized]"],
    directory: Path | None = None,
    *,
    reach: int | None = 0,
    side: int = 1024,
    snug: bool = False,
    whole_pixels: int = LIMITS.whole_pixels,
    in_flight: int = 4,
    places: int = 2,
) -> Easel:
    """Cuts into tiles of `side` pixels what has more than `whole_pixels`."""
    return Easel(
        Strips(LIMITS, directory),
        submit,
        reach=reach,
        side=side,
        snug=snug,
        whole_pixels=whole_pixels,
        in_flight=in_flight,
        patience=60.0,
        places=Places(places),
    )
