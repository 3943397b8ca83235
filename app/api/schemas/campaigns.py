"""Many pictures under one name."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api import examples
from app.domain.parameters import Parameters
from app.domain.requests import Budget, Request
from app.domain.terms import Priority


class Counts(BaseModel):
    total: int
    queued: int
    running: int
    in_review: int
    succeeded: int
    cached: int = Field(description="Of those: had been drawn before, and cost nothing.")
    failed: int
    canceled: int
    rejected: int
    expired: int
    refused: int = Field(
        description="Lines of the manifest that became no job, beside `total`: `manifest_errors`"
        " says why."
    )


class CampaignCost(BaseModel):
    """Money, in millionths of the currency unit."""

    estimated_micros: int = Field(description="Of all pictures whose size is known.")
    actual_micros: int
    budget_micros: int | None = Field(description="The most that it may cost.")
    allotted_micros: int | None = Field(
        description="Of the budget, set aside for what may be begun or is under way."
    )
    currency: str


class CampaignUrls(BaseModel):
    get: str
    items: str
    cancel: str
    pause: str
    resume: str
    retry_failed: str
    manifest_errors: str


class Campaign(BaseModel):
    """Many pictures under one name."""

    object: Literal["campaign"] = "campaign"
    id: UUID
    name: str
    status: Literal["running", "paused", "finished"]
    priority: int
    style: str
    parameters: Parameters
    metadata: dict[str, Any]
    counts: Counts
    cost: CampaignCost
    tags: dict[str, str]
    queue_position: int | None = Field(description="Of its next picture; 1 is next.")
    eta_seconds: int | None = Field(
        description="Until all of it will have ended, from what waits before it and how fast"
        " workers are, or from its progress so far; null before there is either."
    )
    created_at: datetime
    paused_at: datetime | None
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    urls: CampaignUrls

    model_config = ConfigDict(json_schema_extra={"example": examples.CAMPAIGN})


class PriorityRequest(Request):
    """Where to stand among what else of yours waits."""

    priority: Priority


class BudgetRequest(Request):
    """The most that a campaign may cost from now on, in all."""

    budget_micros: Budget


class ManifestError(BaseModel):
    """A line of a manifest that became no job; `code` is one of `GET /problems`."""

    line: int = Field(description="Counted from 1, with the header; of a prefix, its n-th object.")
    custom_id: str | None
    code: str
    detail: str
