"""What work would cost, before it is handed in."""

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from app.api import cost_schemas, examples
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.api.shown import parts_shown
from app.db.licences import UNLICENSED
from app.db.models import StyleVersion
from app.domain.estimates import EstimateRequest
from app.domain.prices import exactly
from app.domain.style import plain
from app.errors import (
    BadRequest,
    BodyTooLarge,
    ImageTooLarge,
    InvalidImage,
    InvalidRequest,
    InvalidTags,
    NoStylePicture,
    NotOffered,
    PresetRetired,
    RenditionTooLarge,
    ServiceUnavailable,
    SourceForbidden,
    UnknownPreset,
    UnknownStyle,
    UnknownUpload,
)
from app.estimates import Estimate, estimate
from app.settings import RateCard

NAMED = 100  #: custom ids of one objection

router = APIRouter(prefix="/v1/estimates", tags=["costs"], **KEYED)


@router.post(
    "",
    response_model=cost_schemas.Estimate,
    summary="What work would cost, and when it would be done",
    responses=documented(
        *(BadRequest, BodyTooLarge, InvalidRequest, InvalidImage, ImageTooLarge, InvalidTags),
        *(UnknownStyle, UnknownUpload, SourceForbidden, ServiceUnavailable),
        *(UnknownPreset, PresetRetired, RenditionTooLarge),
        *(NotOffered, NoStylePicture),
        *UNLICENSED,
    ),
)
def create_estimate(
    desk: TheDesk,
    tenant_id: TenantId,
    wanted: Annotated[EstimateRequest, Body(openapi_examples=examples.ESTIMATE_REQUESTS)],
) -> Response:
    """
    Send what you would send to `/v1/jobs` or `/v1/campaigns`, or a `count`. Nothing is accepted.

    What would refuse the whole refuses the estimate, licences included; pictures that would fail
    by themselves are told in `objections`, and cost nothing.
    """
    found = estimate(desk, tenant_id, wanted)
    return reply(_shown(found, desk.settings.rate_card), 200, UNCACHED)


def _shown(found: Estimate, card: RateCard) -> cost_schemas.Estimate:
    return cost_schemas.Estimate(
        jobs=found.jobs,
        assumed=found.assumed,
        megapixels=round(found.megapixels, 6),
        price=cost_schemas.Price(
            micros=round(exactly(card, found.usage, found.jobs)),
            currency=card.currency,
            rate_card=card.name,
            parts=parts_shown(card, found.usage, found.jobs),
        ),
        basis="measured" if found.measured else "rate_card",
        queue_position=found.forecast.position,
        eta_seconds=found.forecast.seconds,
        licences=[_licence(version) for version in found.styles],
        objections=[
            cost_schemas.Objection(code=code, detail=detail, jobs=len(ids), custom_ids=ids[:NAMED])
            for (code, detail), ids in found.refused.items()
        ],
    )


def _licence(version: StyleVersion) -> cost_schemas.StyleLicence:
    licence = version.card.get("licence", {})
    return cost_schemas.StyleLicence(
        style=f"{plain(version.slug)}@{version.version}",
        licence=licence.get("spdx"),
        licensor=licence.get("licensor"),
    )
