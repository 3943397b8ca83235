"""What made a picture: looked up by its digest, by whoever holds the file."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
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
from app.api.schemas import Cost, Provenance, Reviewed
from app.api.shown import (
    card_shown,
    cost_shown,
    provenance_shown,
    rendition_provenance,
    reviewed_shown,
)
from app.db import models, origins, reading
from app.db.models import AssetKind
from app.domain.style import StyleStatus, plain
from app.errors import Erased, NotFound
from app.settings import Settings

LIMIT: Final = 100  #: jobs of one answer
MEASURED: Final = ("baselines", "quality", "learned")  #: of a card; pages of numbers

router = APIRouter(prefix="/v1/provenance", tags=["provenance"], **KEYED)


#: By stylizer and pin: rows of `origins.styles_used`.
Styles: TypeAlias = dict[tuple[str, str], Row[Any]]


class StyleUsed(BaseModel):
    """One style that took part, and how its licence is today."""

    style: str = Field(examples=["great-wave@3"])
    share: float = Field(description="1 for a style alone.")
    title: str
    status: StyleStatus
    valid_until: datetime | None = Field(description="When its licence ends.")
    suspended_at: datetime | None = Field(description="While set, nothing of it is delivered.")
    withdrawn_at: datetime | None = Field(description="By its licensor, for good.")
    card: dict[str, Any] = Field(description="Where it comes from, and under which licence.")


class KeyUsed(BaseModel):
    """A key of yours, as lists of keys show it."""

    prefix: str
    name: str | None = Field(description="null: there is no such key any more.")


class Approval(Reviewed):
    """Who let the picture out, or did not, and why."""

    key: KeyUsed | None = Field(description="null: nobody with a key has said anything.")


class Machine(BaseModel):
    """What drew it; null where that was not written down."""

    worker: str | None = Field(description="The process, as the job's history names it.")
    hardware: str | None = Field(description="Model of the device; of a GPU its driver, too.")
    image: str | None = Field(description="Digest of the container, where the operator gave it.")
    peak_bytes: int | None = Field(
        description="The most memory that the worker, which draws many at once, had had by then."
    )


class Making(BaseModel):
    """One job that gave this output."""

    job_id: UUID
    campaign_id: UUID | None
    custom_id: str | None
    submitted_by: KeyUsed | None
    review: Approval | None = Field(description="null: nobody was to look at it.")
    attempt: int
    rendered_by: UUID | None = Field(description="The job that drew it, where this one did not.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    drawn_at: datetime | None = Field(description="By whichever job; null: that is forgotten.")
    machine: Machine | None = Field(description="null: nobody knows any more.")
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
    responses=documented(NotFound, Erased),
)
def get_origin(
    desk: TheDesk, tenant_id: TenantId, sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
) -> Response:
    """By the SHA-256 of the file as it was delivered; another tenant's look like nobody's."""
    with desk.sessions() as session:
        asset = reading.asset(session, tenant_id, sha256)
        rows = reading.made(session, tenant_id, sha256, LIMIT)
        its = _looked_up(session, tenant_id, rows)
    origin = Origin(
        sha256=asset.digest,
        kind=asset.kind,
        media_type=asset.media_type,
        bytes=asset.bytes,
        width=asset.width,
        height=asset.height,
        created_at=asset.created_at,
        made_by=[_making(desk.settings, row, its, sha256) for row in rows],
    )
    return reply(origin, 200, UNCACHED)


@dataclass(frozen=True)
class _Beside:
    """What the jobs of one answer refer to."""

    styles: Styles
    machines: dict[UUID, Row[Any]]
    names: dict[str, str]  #: of keys

    def key(self, prefix: str | None) -> KeyUsed | None:
        return None if prefix is None else KeyUsed(prefix=prefix, name=self.names.get(prefix))


def _looked_up(session: Session, tenant_id: UUID, rows: Sequence[Row[Any]]) -> _Beside:
    jobs: list[models.Job] = [row.Job for row in rows]
    prefixes = {prefix for job in jobs for prefix in (job.principal, _reviewer(job)) if prefix}
    return _Beside(
        _styles(session, rows),
        origins.machines(session, [job.id for job in jobs]),
        origins.key_names(session, tenant_id, prefixes),
    )


def _reviewer(job: models.Job) -> str | None:
    """The prefix of the key that decided; operators have none."""
    kind, _, prefix = str((job.verdict or {}).get("by")).partition(":")
    return prefix if kind == "key" else None


def _approval(job: models.Job, its: _Beside) -> Approval | None:
    told = reviewed_shown(job)
    if told is None:
        return None
    return Approval(**told.model_dump(), key=its.key(_reviewer(job)))


def _machine(row: Row[Any] | None) -> Machine | None:
    return None if row is None else Machine.model_validate(row, from_attributes=True)


def _making(settings: Settings, row: Row[Any], its: _Beside, sha256: str) -> Making:
    job: models.Job = row.Job
    provenance = provenance_shown(row)
    for part in row.renditions or ():
        if part["digest"] == sha256 != job.output_digest:
            provenance = rendition_provenance(provenance, part)
    return Making(
        job_id=job.id,
        campaign_id=job.campaign_id,
        custom_id=job.custom_id,
        submitted_by=its.key(job.principal),
        review=_approval(job, its),
        attempt=job.attempt,
        rendered_by=job.rendered_by,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        drawn_at=row.drawn_at,
        machine=_machine(its.machines.get(job.id)),
        timings=job.timings,
        cost=cost_shown(settings, row),
        styles=[
            _used(pin, share, its.styles[row.stylizer_digest, pin])
            for pin, share in _shares(row).items()
        ],
        provenance=provenance,
    )


def _styles(session: Session, rows: Sequence[Row[Any]]) -> Styles:
    """All that took part in any of these jobs; mostly they are all the same."""
    pins: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        pins[row.stylizer_digest] |= _shares(row).keys()
    return {
        (stylizer, pin): found
        for stylizer, named in pins.items()
        for pin, found in origins.styles_used(session, stylizer, sorted(named)).items()
    }


def _used(pin: str, share: float, row: Row[Any]) -> StyleUsed:
    card = card_shown(row.card)
    return StyleUsed(
        style=plain(pin),
        share=share,
        title=row.title,
        status=row.status,
        valid_until=row.valid_until,
        suspended_at=row.suspended_at,
        withdrawn_at=row.withdrawn_at,
        card={name: value for name, value in card.items() if name not in MEASURED},
    )


def _shares(row: Row[Any]) -> dict[str, float]:
    shares: dict[str, float] | None = row.Job.parameters.get("mix")
    return shares or {f"{row.slug}@{row.style_version}": 1.0}
