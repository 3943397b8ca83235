"""From what was asked for to the row of a job: what it pins, how large it is, what it reserves."""

from typing import Any

from app.db.intake import NewJob
from app.db.models import StyleVersion
from app.db.styles import Look, pin
from app.domain.job import Lane
from app.domain.pace import CostModel
from app.domain.parameters import Mask, OutputFormat, Parameters, Quality, render_keys
from app.domain.prices import rounded
from app.domain.renditions import MAX_DRAWN, MAX_ENLARGED, MAX_PIXELS, Rendition
from app.errors import ImageTooLarge, InvalidImage, RenditionTooLarge
from app.settings import LimitSettings, Settings
from app.sources import Source


def output_pixels(limits: LimitSettings, parameters: Parameters, width: int, height: int) -> int:
    """
    Pixels of the output. Raises `ImageTooLarge` or `InvalidImage`, saying what would do, and
    `RenditionTooLarge` for what cannot be made of it.
    """
    out_width, out_height = parameters.output_size(width, height)
    pixels = out_width * out_height
    limit, of = _most(limits, parameters)
    if pixels > limit:
        fits = int(max(width, height) * (limit / (width * height)) ** 0.5)
        raise ImageTooLarge(
            f"The output would have {pixels:,} pixels; the limit{of} is {limit:,}. "
            f"Ask for output.size {fits} or less."
        )
    if max(out_width, out_height) > parameters.output.format.max_side:
        raise ImageTooLarge(
            f"The output would be {out_width}x{out_height}; no {parameters.output.format} has more "
            f"than {parameters.output.format.max_side} pixels a side. Ask for output.size "
            f"{parameters.output.format.max_side}, or another format."
        )
    if min(out_width, out_height) < limits.min_side:
        raise InvalidImage(
            f"The output would be {out_width}x{out_height}; "
            f"its shorter side must be at least {limits.min_side} pixels."
        )
    for rendition in parameters.renditions:
        _check_rendition(limits, rendition, out_width, out_height)
    return pixels


def _most(limits: LimitSettings, parameters: Parameters) -> tuple[int, str]:
    """The most pixels of such an output, and what sort of output that is."""
    most = [(limits.output_pixels, "")]
    if parameters.quality is Quality.PRINT:
        most.append((limits.print_pixels, " of a print"))
    if parameters.output.format is OutputFormat.AVIF:
        most.append((limits.avif_pixels, " of an AVIF"))
    if parameters.renditions:
        most.append((MAX_DRAWN, " of a picture with renditions"))
    return min(most)


def _check_rendition(limits: LimitSettings, one: Rendition, width: int, height: int) -> None:
    frame = one.frame(width, height)
    if frame.enlarged > MAX_ENLARGED:
        raise RenditionTooLarge(
            f"The rendition {one.name!r} would show the output of {width}x{height} "
            f"{frame.enlarged:.1f} times as large; at most {MAX_ENLARGED:g}."
        )
    most = min(MAX_PIXELS, limits.avif_pixels) if one.format is OutputFormat.AVIF else MAX_PIXELS
    if frame.pixels > most or max(frame.canvas) > one.format.max_side:
        raise RenditionTooLarge(
            f"The rendition {one.name!r} would have {frame.canvas[0]}x{frame.canvas[1]} pixels; "
            f"at most {most:,} in all, and {one.format.max_side:,} a side. Give it a box."
        )


def pinned(parameters: Parameters, look: Look, mask: Mask | None) -> Parameters:
    """What is kept with the work: the styles of a mix by version, the mask by digest."""
    return parameters.model_copy(update={"mix": look.mix, "mask": mask})


class Recipe:
    """
    One style version and one set of parameters: all of a job but its picture.

    What it reserves is what `model` foresees; without one, what the rate card guesses.
    """

    def __init__(
        self,
        settings: Settings,
        lane: Lane,
        version: StyleVersion,
        parameters: Parameters,
        model: CostModel | None = None,
    ) -> None:
        self._limits, self._card = settings.limits, settings.rate_card
        self._model = model or CostModel(self._card, {}, self._limits.whole_pixels)
        self._lane = lane_of(lane, parameters)
        self._parameters = parameters
        self._cacheable = cacheable(settings, parameters)
        self._reserves: dict[int, int] = {}  #: by pixels: catalogs are full of equal sizes
        self._same: dict[str, Any] = {
            "style_version_id": version.id,
            "parameters": parameters.model_dump(mode="json"),
        }
        self._key = render_keys(
            style=pin(version), stylizer=version.stylizer_digest, parameters=parameters
        )

    def job(self, source: Source, **about: Any) -> NewJob:
        """
        The row of a job; in the fetch lane as long as its picture is not here.

        Raises as `output_pixels` does.
        """
        asset, pixels, lane = source.asset, 0, Lane.FETCH
        if asset is not None:
            lane = self._lane
            pixels = output_pixels(self._limits, self._parameters, asset.width, asset.height)
            about["content_digest"] = asset.digest
            key = about["render_key"] = self._key(asset.digest)
            about["cache_key"] = key if self._cacheable else None
        return NewJob(
            lane=lane,
            source=source.name,
            pixels=pixels,
            reserve_micros=self._reserve(pixels),
            **self._same,
            **about,
        )

    def _reserve(self, pixels: int) -> int:
        if pixels not in self._reserves:
            usage = self._model.usage(self._lane, pixels, self._parameters.renditions)
            self._reserves[pixels] = rounded(self._card, usage)
        return self._reserves[pixels]


def cacheable(settings: Settings, parameters: Parameters) -> bool:
    """Whether equal keys mean equal pictures: a print's does not say which judge painted it."""
    return settings.cache and parameters.quality is not Quality.PRINT


def lane_of(lane: Lane, parameters: Parameters) -> Lane:
    """Where work waits that would wait in `lane` if it were not for its parameters."""
    return Lane.PRINT if parameters.quality is Quality.PRINT else lane
