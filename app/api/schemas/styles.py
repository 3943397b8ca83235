"""Styles, and what is done to them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from app.api.schemas.jobs import JobError
from app.domain.requests import Request, storable
from app.domain.told import STORABLE

Reason = Annotated[
    str,
    Field(min_length=1, max_length=1_000, json_schema_extra=STORABLE),
    AfterValidator(storable),
]


class Style(BaseModel):
    """A look that can be asked for."""

    object: Literal["style"] = "style"
    name: str = Field(examples=["great-wave"], description="Asks for the newest version.")
    title: str
    version: int
    pinned: str = Field(examples=["great-wave@3"], description="Asks for exactly this version.")
    status: Literal[
        "learning", "failed", "canceled", "draft", "review", "active", "suspended", "retired"
    ] = Field(description="Only what is active can be asked for.")
    own: bool = Field(description="Yours alone; the others are everybody's.")
    stylizer: str = Field(examples=["light-0.3.0"])
    card: dict[str, Any] = Field(description="Where it comes from, and under which licence.")
    valid_until: datetime | None = Field(description="When its licence ends.")
    expires_in_days: int | None = Field(description="Whole days until then.")
    warnings: list[str] = Field(description="What to know before you plan with it.")
    preview_url: str | None = Field(
        description="Photographs in the style. Of one of yours, its picture beside them; that"
        " opens without a key until it expires."
    )
    job: str | None = Field(description="The job that learns it, or did: its progress, its cost.")
    error: JobError | None


class Styles(BaseModel):
    data: list[Style]


class StyleVersions(BaseModel):
    """One style with all its versions, newest first."""

    object: Literal["style"] = "style"
    name: str
    title: str
    versions: list[Style]


class MoveRequest(Request):
    """Why a style is moved; kept in its history."""

    reason: Reason | None = None


class StopRequest(Request):
    """Why a style is stopped, started again or taken back."""

    reason: Reason


class AffectedAsset(BaseModel):
    """A finished picture that came from a style version, alone or in a mix."""

    object: Literal["affected_asset"] = "affected_asset"
    asset_id: str
    renditions: list[str] = Field(description="SHA-256 of the further files of the same drawing.")
    job_id: UUID
    campaign_id: UUID | None
    campaign: str | None
    custom_id: str | None
    mix: dict[str, float] | None = Field(description="The shares, where there are several.")
    finished_at: datetime


class Withdrawal(BaseModel):
    """What a withdrawal touches: from now on these pictures are kept, but not delivered."""

    object: Literal["withdrawal"] = "withdrawal"
    style: str = Field(examples=["harbour@3"])
    reason: str
    affected: int = Field(description="Pictures of yours.")
    assets_url: str = Field(description="Lists them, in pages.")
