"""What pictures take, learned from those that were drawn: prices before, and waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from app.domain.job import Lane
from app.domain.prices import Usage
from app.domain.renditions import Rendition, further
from app.settings import RateCard

MEMORY: Final = 400.0  #: pictures after which a measurement counts for a third
SPREAD: Final = 0.02  #: of sizes, relative, below which a line through them says nothing
#: Until somebody measured: milliseconds and bytes of a megapixel.
CPU_MS: Final = 60.0
STORED_BYTES: Final = 400_000.0

#: Where to look when a lane has drawn nothing yet.
_LIKE: Final = {
    Lane.INTERACTIVE: (Lane.INTERACTIVE, Lane.CAMPAIGN),
    Lane.PRINT: (Lane.PRINT,),
    Lane.LEARN: (Lane.LEARN,),
}
_OTHERS: Final = (Lane.CAMPAIGN, Lane.INTERACTIVE)


@dataclass(frozen=True, slots=True)
class Pace:
    """Sums over pictures; `x` is a picture's megapixels."""

    pictures: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    device_ms: float = 0.0
    x_device_ms: float = 0.0
    cpu_ms: float = 0.0
    x_cpu_ms: float = 0.0
    stored_bytes: float = 0.0
    signatures: float = 0.0
    busy_ms: float = 0.0  #: of a worker, while pictures of this kind were under way

    def __add__(self, other: "Pace") -> "Pace":
        names = [field.name for field in fields(self)]
        return Pace(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def work_ms(self) -> float:
        return self.device_ms + self.cpu_ms

    def usage(self, megapixels: float) -> Usage:
        """What a picture of that size is going to take."""
        return Usage(
            device_ms=self._at(megapixels, self.device_ms, self.x_device_ms),
            cpu_ms=self._at(megapixels, self.cpu_ms, self.x_cpu_ms),
            stored_bytes=self.stored_bytes / self.x * megapixels,
            signatures=self.signatures / self.pictures,
        )

    def busy(self, megapixels: float) -> float:
        """Milliseconds for which such a picture keeps a worker, among others like it."""
        foreseen = self.usage(megapixels)
        work = foreseen.device_ms + foreseen.cpu_ms
        return work * self.busy_ms / self.work_ms if self.work_ms else 0.0

    def _at(self, x: float, y_sum: float, xy_sum: float) -> float:
        """Least squares through the pictures; in proportion where all have one size."""
        mean = y_sum / self.pictures
        spread = self.xx - self.x**2 / self.pictures
        if spread <= SPREAD**2 * self.xx:
            return mean * x * self.pictures / self.x
        slope = (xy_sum - self.x * y_sum / self.pictures) / spread
        start = mean - slope * self.x / self.pictures
        if slope < 0:
            return mean
        return start + slope * x if start >= 0 else xy_sum / self.xx * x


def measured(megapixels: float, usage: Usage) -> Pace:
    """One picture."""
    return Pace(
        pictures=1.0,
        x=megapixels,
        xx=megapixels**2,
        device_ms=usage.device_ms,
        x_device_ms=megapixels * usage.device_ms,
        cpu_ms=usage.cpu_ms,
        x_cpu_ms=megapixels * usage.cpu_ms,
        stored_bytes=usage.stored_bytes,
        signatures=usage.signatures,
    )


@dataclass(frozen=True, slots=True)
class CostModel:
    """What the devices that are up have shown; guesses of the card where they have not."""

    card: RateCard
    paces: Mapping[tuple[Lane, bool], Pace]  #: by lane, and whether drawn in tiles
    whole_pixels: int  #: of an output; those with more are drawn in tiles

    def usage(self, lane: Lane, pixels: float, renditions: Sequence[Rendition] = ()) -> Usage:
        """What a picture is going to take, with what is made of it."""
        known = self.pace(lane, pixels)
        megapixels = pixels / 1e6
        drawn = known.usage(megapixels) if known else self._guess(lane, megapixels)
        if not renditions:
            return drawn
        cpu_ms, stored_bytes = further(renditions, pixels)
        return drawn + Usage(0.0, cpu_ms, stored_bytes, drawn.signatures * len(renditions))

    def busy_ms(self, lane: Lane, pixels: float) -> float | None:
        """For how long it keeps a worker; None where nobody knows."""
        known = self.pace(lane, pixels)
        return known.busy(pixels / 1e6) if known else None

    def pace(self, lane: Lane, pixels: float) -> Pace | None:
        """That of the lane, or of one like it."""
        tiled = pixels > self.whole_pixels and not lane.slow
        for kind in (tiled, not tiled):
            for like in _LIKE.get(lane, _OTHERS):
                known = self.paces.get((like, kind))
                if known is not None and known.pictures > 0 and known.x > 0:
                    return known
        return None

    def _guess(self, lane: Lane, megapixels: float) -> Usage:
        slow = lane is Lane.PRINT
        card = self.card
        each = card.estimate_print_ms_per_megapixel if slow else card.estimate_ms_per_megapixel
        return Usage(
            device_ms=each * megapixels,
            cpu_ms=CPU_MS * megapixels,
            stored_bytes=STORED_BYTES * megapixels,
        )
