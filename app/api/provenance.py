"""What made a picture: looked up by its digest, by whoever holds the file."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api import examples
from app.api.deps import KEYED, TenantId, TheDesk
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.api.schemas import Cost, Provenance
from app.api.shown import cost_shown, provenance_shown
from app.db import models, reading
from app.db.models import AssetKind
from app.domain.style import plain
from app.errors import NotFound
from app.settings import Settings

LIMIT: Final = 100  #: jobs of one answer
MEASURED: Final = ("baselines", "quality", "learned")  #: of a card; pages of numbers

router = APIRouter(prefix="/v1/provenance", tags=["provenance"], **KEYED)


#: By stylizer and pin: title and card.
Cards: TypeAlias = dict[tuple[str, str], tuple[str, dict[str, Any]]]


class StyleUsed(BaseModel):
    """One style that took part, with its card as it is today."""

    style: str = Field(examples=["great-wave@3"])
    share: float = Field(description="1 for a style alone.")
    title: str
    card: dict[str, Any] = Field(description="Where it comes from, and under which licence.")


class Making(BaseModel):
    """One job that gave this output."""

    job_id: UUID
    campaign_id: UUID | None
    custom_id: str | None
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    drawn_at: datetime | None = Field(description="null: it was here already, nothing was drawn.")
    timings: dict[str, Any] | None = Field(description="Milliseconds per stage.")
    cost: Cost | None
    styles: list[StyleUsed]
    provenance: Provenance


class Origin(BaseModel):
    """A picture by its digest, and every job of yours that made it."""

    object: Literal["origin"] = "origin"
    sha256: str
    kind: AssetKind = Field(description="A content picture came from you: nothing here made it.")
    media_type: str
    bytes: int
    width: int
    height: int
    created_at: datetime
    made_by: list[Making] = Field(description=f"Oldest first, {LIMIT} at most.")

    model_config = ConfigDict(json_schema_extra={"example": examples.ORIGIN})


@router.get(
    "/{sha256}",
    response_model=Origin,
    summary="What made a picture",
    responses=documented(NotFound),
)
def get_origin(
    desk: TheDesk, tenant_id: TenantId, sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
) -> Response:
    """By the SHA-256 of the file as it was delivered; another tenant's look like nobody's."""
    with desk.sessions() as session:
        asset = reading.asset(session, tenant_id, sha256)
        rows = reading.made(session, tenant_id, sha256, LIMIT)
        cards = _cards(session, rows)
    origin = Origin(
        sha256=asset.digest,
        kind=asset.kind,
        media_type=asset.media_type,
        bytes=asset.bytes,
        width=asset.width,
        height=asset.height,
        created_at=asset.created_at,
        made_by=[_making(desk.settings, row, cards) for row in rows],
    )
    return reply(origin, 200, UNCACHED)


def _making(settings: Settings, row: Row[Any], cards: Cards) -> Making:
    job: models.Job = row.Job
    return Making(
        job_id=job.id,
        campaign_id=job.campaign_id,
        custom_id=job.custom_id,
        attempt=job.attempt,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        drawn_at=row.drawn_at,
        timings=job.timings,
        cost=cost_shown(settings, row),
        styles=[
            StyleUsed(style=plain(pin), share=share, title=title, card=_told(card))
            for pin, share in _shares(row).items()
            for title, card in [cards[row.stylizer_digest, pin]]
        ],
        provenance=provenance_shown(row),
    )


def _cards(session: Session, rows: Sequence[Row[Any]]) -> Cards:
    """All that took part in any of these jobs; mostly they are all the same."""
    pins: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        pins[row.stylizer_digest] |= _shares(row).keys()
    return {
        (stylizer, pin): found
        for stylizer, its in pins.items()
        for pin, found in reading.cards(session, stylizer, sorted(its)).items()
    }


def _told(card: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name not in MEASURED}


def _shares(row: Row[Any]) -> dict[str, float]:
    shares: dict[str, float] | None = row.Job.parameters.get("mix")
    return shares or {f"{row.slug}@{row.style_version}": 1.0}
