"""The shapes of our answers."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.domain.job import JobStatus, Lane
from app.domain.parameters import Parameters
from app.domain.requests import Request

Item = TypeVar("Item")
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ID = "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"
MOMENT = "2026-11-22T12:00:00.000Z"


class Style(BaseModel):
    """A look that can be asked for."""

    object: Literal["style"] = "style"
    name: str = Field(examples=["great-wave"], description="Asks for the newest version.")
    title: str
    version: int
    pinned: str = Field(examples=["great-wave@3"], description="Asks for exactly this version.")
    stylizer: str = Field(examples=["light-0.1.0"])
    card: dict[str, Any] = Field(description="Where it comes from, and under which licence.")


class Styles(BaseModel):
    data: list[Style]


class StyleVersions(BaseModel):
    """One style with all its versions, newest first."""

    object: Literal["style"] = "style"
    name: str
    title: str
    versions: list[Style]


class UploadRequest(Request):
    """A picture that is going to come."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its bytes, in hex.")
    bytes: int = Field(ge=1)
    media_type: Literal["image/jpeg", "image/png", "image/webp"]


class Upload(BaseModel):
    """Where to bring a picture: send `method` to `url` with exactly these `headers`."""

    object: Literal["upload"] = "upload"
    id: UUID
    received: bool = Field(description="We have these bytes already: nothing needs to be sent.")
    method: Literal["PUT"] = "PUT"
    url: str | None
    headers: dict[str, str]
    expires_at: datetime

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "object": "upload",
                "id": ID,
                "received": False,
                "method": "PUT",
                "url": f"https://impasto.example/v1/uploads/{ID}/content?expires=1&signature=x",
                "headers": {"Content-Type": "image/jpeg", "Content-Length": "48211"},
                "expires_at": MOMENT,
            }
        }
    )


class JobError(BaseModel):
    """Why a job failed; `code` is one of `GET /problems`."""

    code: str
    title: str
    detail: str | None
    retryable: bool


class OutputAsset(BaseModel):
    """The finished picture."""

    asset_id: str
    url: str = Field(description="Opens without a key until it expires; ask the job for another.")
    media_type: str
    bytes: int
    width: int
    height: int


class Cost(BaseModel):
    """Money, in millionths of the currency unit."""

    micros: int
    currency: str
    rate_card: str


class StylizerName(BaseModel):
    name: str
    version: str
    digest: str


class Provenance(BaseModel):
    """What made this output."""

    content_sha256: str
    output_sha256: str
    style: str
    stylizer: StylizerName
    engine: str | None
    device: str | None
    batch_size: int | None
    render_key: str
    parameters: Parameters


class JobUrls(BaseModel):
    get: str
    cancel: str


class Job(BaseModel):
    """One picture in one style."""

    object: Literal["job"] = "job"
    id: UUID
    status: JobStatus
    stage: str | None = Field(description="Where in the workshop it is, as of the last heartbeat.")
    attempt: int
    lane: Lane
    style: str
    parameters: Parameters
    custom_id: str | None
    campaign_id: UUID | None
    metadata: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings: dict[str, Any] | None = Field(description="Milliseconds per stage.")
    error: JobError | None
    output: OutputAsset | None
    cost: Cost | None
    provenance: Provenance | None
    urls: JobUrls

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "object": "job",
                "id": ID,
                "status": "succeeded",
                "stage": None,
                "attempt": 1,
                "lane": "interactive",
                "style": "great-wave@3",
                "parameters": {"strength": 0.8, "output": {"format": "jpeg", "quality": 90}},
                "custom_id": None,
                "campaign_id": None,
                "metadata": {"sku": "4711"},
                "created_at": MOMENT,
                "started_at": MOMENT,
                "finished_at": MOMENT,
                "timings": {"decode": 4.1, "engine": 212.0, "encode": 5.2},
                "error": None,
                "output": {
                    "asset_id": DIGEST,
                    "url": f"https://cdn.example/assets/{DIGEST}?expires=1&signature=x",
                    "media_type": "image/jpeg",
                    "bytes": 73112,
                    "width": 512,
                    "height": 384,
                },
                "cost": {"micros": 274, "currency": "USD", "rate_card": "2026-11"},
                "provenance": {
                    "content_sha256": DIGEST,
                    "output_sha256": DIGEST,
                    "style": "great-wave@3",
                    "stylizer": {"name": "light", "version": "0.1.0", "digest": DIGEST},
                    "engine": "onnx-cpu",
                    "device": "cpu",
                    "batch_size": 4,
                    "render_key": DIGEST,
                    "parameters": {"strength": 0.8},
                },
                "urls": {"get": f"/v1/jobs/{ID}", "cancel": f"/v1/jobs/{ID}/cancel"},
            }
        }
    )


class Counts(BaseModel):
    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int


class CampaignCost(BaseModel):
    """Money, in millionths of the currency unit."""

    estimated_micros: int = Field(description="Of all pictures whose size is known.")
    actual_micros: int
    currency: str


class CampaignUrls(BaseModel):
    get: str
    items: str
    cancel: str


class Campaign(BaseModel):
    """Many pictures under one name."""

    object: Literal["campaign"] = "campaign"
    id: UUID
    name: str
    status: Literal["running", "finished"]
    style: str
    parameters: Parameters
    metadata: dict[str, Any]
    counts: Counts
    cost: CampaignCost
    eta_seconds: int | None = Field(description="From the progress so far; null before there is.")
    created_at: datetime
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    urls: CampaignUrls

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "object": "campaign",
                "id": ID,
                "name": "Spring 2027",
                "status": "running",
                "style": "great-wave@3",
                "parameters": {"strength": 1.0, "output": {"format": "jpeg", "quality": 90}},
                "metadata": {},
                "counts": {
                    "total": 1000,
                    "queued": 400,
                    "running": 64,
                    "succeeded": 534,
                    "failed": 2,
                    "canceled": 0,
                },
                "cost": {"estimated_micros": 274000, "actual_micros": 146316, "currency": "USD"},
                "eta_seconds": 41,
                "created_at": MOMENT,
                "cancel_requested_at": None,
                "finished_at": None,
                "urls": {
                    "get": f"/v1/campaigns/{ID}",
                    "items": f"/v1/campaigns/{ID}/items",
                    "cancel": f"/v1/campaigns/{ID}/cancel",
                },
            }
        }
    )


class Page(BaseModel, Generic[Item]):
    """A part of a listing; `next_cursor` leads to the next part."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


class WebhookSecret(BaseModel):
    """What every webhook to this tenant is signed with (Standard Webhooks, `v1`)."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Welcome(BaseModel):
    """Where everything is."""

    name: str = "impasto"
    version: str
    docs: str = "/docs"
    openapi: str = "/openapi.json"
    styles: str = "/v1/styles"
    problems: str = "/problems"
