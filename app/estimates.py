"""What work would cost and when it would be done, if it were handed in now."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import presets, tags
from app.db.backlog import Place
from app.db.models import StyleVersion
from app.domain.estimates import EstimateRequest
from app.domain.events import CAMPAIGN_DEFAULT
from app.domain.ids import new_id
from app.domain.job import Lane
from app.domain.pace import CostModel
from app.domain.parameters import Parameters
from app.domain.prices import Usage
from app.domain.renditions import Rendition
from app.domain.requests import CampaignItem, Input
from app.errors import ClientError
from app.outlook import Forecast, Waiting
from app.planning import lane_of, output_pixels
from app.sources import Sources
from app.submission import Desk, kept_hook

USUAL: Final = 1.0  #: megapixels of an output, where nothing was drawn yet

Refused = dict[tuple[str, str], list[str]]  #: custom ids by code and reason


@dataclass(frozen=True, slots=True)
class Drawn:
    """An output, and what is made of it."""

    pixels: float | None  #: None: its picture has not been seen
    renditions: Sequence[Rendition] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is foreseen."""

    jobs: int  #: that would be done
    assumed: int  #: of those, how many have a size that is assumed
    megapixels: float
    usage: Usage  #: of all of them
    measured: bool  #: by pictures of the kind; else by what the rate card guesses
    forecast: Forecast
    styles: Sequence[StyleVersion]
    refused: Refused


def estimate(desk: Desk, tenant_id: UUID, request: EstimateRequest) -> Estimate:
    """
    Price, end and objections, by the code that accepts work; nothing of it is kept.

    Raises what handing it in would raise: an unknown or unlicensed style, tags, addresses.
    """
    kept_hook(desk, request.webhook, CAMPAIGN_DEFAULT)
    with desk.sessions() as session:  # ends without a COMMIT
        outputs = request.all_outputs  # of a count, there are none
        known = presets.known(
            session, tenant_id, [request.preset, *(one.preset for one in outputs)]
        )
        request, outputs = known.options(request), list(map(known.item, outputs))
        asked = (*request.variants, *outputs)
        wishes = {request.look, *(one.style for one in asked if one.style)}
        looks = desk.looks(session, tenant_id, wishes, request.quality, request.usage)
        tags.rules(session, tenant_id).check(request.tags)
        model = desk.outlook.model(session, desk.settings)
        single = Lane.CAMPAIGN if request.input is None else Lane.INTERACTIVE
        lane = lane_of(single, request.parameters)
        found, refused = _sizes(desk, session, tenant_id, request, outputs)
        usual = _usual(model, lane, request)
        drawn = [replace(one, pixels=one.pixels or usual) for one in found]
        count = (request.count or 0) * max(1, len(request.variants))
        jobs = count or len(drawn)
        total = usual * jobs if count else sum(one.pixels or 0 for one in drawn)
        example = Drawn(usual, request.parameters.renditions)
        waiting = Waiting(tenant_id, lane, Place(request.priority, new_id()), jobs, total)
        return Estimate(
            jobs=jobs,
            assumed=count or [one.pixels for one in found].count(None),
            megapixels=total / 1e6,
            usage=_usage(model, lane, drawn or [example], times=count or 1),
            measured=model.pace(lane, usual) is not None,
            forecast=desk.outlook.of_many(session, desk.settings, waiting),
            styles=[part for wish in sorted(looks) for part in looks[wish].parts],
            refused=refused,
        )


def _usual(model: CostModel, lane: Lane, request: EstimateRequest) -> float:
    """Pixels of an output that nobody has seen."""
    if request.megapixels is not None:
        return 1e6 * request.megapixels
    pace = model.pace(lane, 0)
    return 1e6 * (USUAL if pace is None else pace.x / pace.pictures)


def _usage(model: CostModel, lane: Lane, drawn: Sequence[Drawn], *, times: int) -> Usage:
    each = (model.usage(lane, one.pixels or 0, one.renditions) for one in drawn)
    return sum(each, Usage()) * times


def _sizes(
    desk: Desk,
    session: Session,
    tenant_id: UUID,
    request: EstimateRequest,
    outputs: Sequence[CampaignItem],
) -> tuple[list[Drawn], Refused]:
    """What would be drawn, as far as its size is known; and what would not."""
    if request.count is not None:
        return [], {}
    if request.input is not None:
        sources = desk.sources(session, tenant_id, [request.input], [request.mask])
        sources.mask(request.mask)
        return [_size(desk, sources, request.parameters, request.input)], {}
    inputs = [item.input for item in outputs]
    masks = [request.mask, *(item.mask for item in outputs)]
    sources = desk.sources(session, tenant_id, inputs, masks)
    sources.mask(request.mask)
    rules = tags.rules(session, tenant_id)
    sizes: list[Drawn] = []
    refused: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for item in outputs:
        try:
            rules.check(request.tags | item.tags)
            sources.mask(item.mask)
            sizes.append(_size(desk, sources, request.parameters_of(item), item.input))
        except ClientError as error:
            refused[error.code, str(error)].append(item.custom_id)
    return sizes, dict(refused)


def _size(desk: Desk, sources: Sources, parameters: Parameters, given: Input) -> Drawn:
    asset, pixels = sources.find(given).asset, None
    if asset is not None:
        pixels = output_pixels(desk.settings.limits, parameters, asset.width, asset.height)
    return Drawn(pixels, parameters.renditions)
