"""One picture: its state, its output, its cost, and what made it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api import examples
from app.domain.job import JobStatus, Lane
from app.domain.parameters import Parameters


class JobError(BaseModel):
    """Why a job failed; `code` is one of `GET /problems`."""

    code: str
    title: str
    detail: str | None
    retryable: bool
    billed: bool = Field(False, description="What has no output costs nothing.")


class OutputAsset(BaseModel):
    """The finished picture."""

    asset_id: str
    url: str | None = Field(
        description="Opens without a key until it expires; ask the job for another. Null while the"
        " style's licence keeps the picture back."
    )
    media_type: str
    bytes: int
    width: int
    height: int


class RenditionAsset(BaseModel):
    """A further file of the same drawing, as the job's preset has it."""

    name: str
    sha256: str
    url: str | None = Field(description="As that of `output`.")
    suffix: str = Field(description="Of a file's name behind that of the picture: `-square`.")
    media_type: str
    bytes: int
    width: int
    height: int


class CostPart(BaseModel):
    """One line of a bill: so many units, at the rate card's price of one."""

    quantity: float
    unit: Literal["seconds", "GB-months", "signatures", "jobs"]
    micros: float = Field(description="Exact; the sum of them is rounded.")


class CostParts(BaseModel):
    """What a picture is charged for."""

    device: CostPart = Field(description="Of the engine's device, by pixel share of the batch.")
    cpu: CostPart = Field(description="Decoding, encoding and what is between, as measured.")
    storage: CostPart = Field(description="Of the output, charged at once for the card's term.")
    signing: CostPart
    fixed: CostPart


class Cost(BaseModel):
    """Money, in millionths of the currency unit."""

    micros: int
    currency: str
    rate_card: str = Field(description="The prices it was charged at; they never change.")
    parts: CostParts | None = Field(
        None,
        description="Their sum and `micros` differ by less than one: what rounding leaves is"
        " carried to your next picture, so that sums are right.",
    )


class StylizerName(BaseModel):
    name: str
    version: str
    digest: str


class ContentCredentials(BaseModel):
    """What an output was signed with (C2PA)."""

    label: str = Field(description="Names the manifest inside the file.")
    manifest_sha256: str
    certificate_sha256: str = Field(description="Of the certificate that signed, in DER.")
    certificate_serial: str | None = Field(None, description="Its number, in decimal.")
    stamped_at: datetime | None = Field(
        None, description="When it was signed, as an authority for time stamps has it (RFC 3161)."
    )


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
    rendition: str | None = Field(
        None, description="Which file of the drawing this is; null for the output itself."
    )
    software: str | None = Field(None, description="Version, and commit, of what drew it.")
    drawn_sha256: str | None = Field(
        None, description="Of the file before it was marked and signed: equal drawings are equal."
    )
    credentials: ContentCredentials | None = Field(
        None,
        description="null: it was not signed, before outputs were, or by a job that is forgotten.",
    )


class Reviewed(BaseModel):
    """What a person has to say of an output, or said."""

    rule: str = Field(description="Which outputs are looked at.", examples=["sample:2%"])
    state: Literal["pending", "approved", "rejected", "skipped"] | None = Field(
        description="skipped: the rule did not choose it; null while there is no output."
    )
    by: str | None = Field(description="The key that the reviewer used.")
    at: datetime | None = Field(description="When that was said.")
    reason_code: str | None
    note: str | None


class JobUrls(BaseModel):
    get: str
    cancel: str
    retry: str


class Job(BaseModel):
    """One picture in one style."""

    object: Literal["job"] = "job"
    id: UUID
    status: JobStatus
    stage: str | None = Field(description="Where in the workshop it is, as of the last heartbeat.")
    attempt: int
    lane: Lane
    style: str = Field(
        description="Pinned to a version; a mix with its shares.",
        examples=["great-wave@3", "great-wave@3:0.6,starry-night@1:0.4"],
    )
    parameters: Parameters
    usage: dict[str, Any] | None = Field(description="What the picture is for, as far as said.")
    custom_id: str | None
    campaign_id: UUID | None
    metadata: dict[str, Any]
    tags: dict[str, str]
    queue_position: int | None = Field(
        None, description="1 is next; null once it is worked on, and in listings."
    )
    eta_seconds: int | None = Field(
        None,
        description="Until it will have ended, from what waits before it and how fast workers"
        " are; null while nobody works or has worked, and in listings. It has no part in the ETag.",
    )
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    erased_at: datetime | None = Field(
        None, description="Its finished picture is gone, or with it all that was of yours."
    )
    timings: dict[str, Any] | None = Field(description="Milliseconds per stage.")
    deadline_at: datetime | None = Field(description="What still waits then expires.")
    priority: int
    warnings: list[str] = Field(
        description="flat: an output of nearly one colour. unchanged: nearly the photograph."
    )
    review: Reviewed | None
    error: JobError | None
    output: OutputAsset | None = Field(description="Once it may be delivered.")
    renditions: list[RenditionAsset] = Field(
        default_factory=list, description="In the order of the preset; once there is an output."
    )
    rendered_by: UUID | None = Field(
        description="The job that drew this picture before: it was there, and cost nothing."
    )
    cost: Cost | None
    provenance: Provenance | None
    urls: JobUrls

    model_config = ConfigDict(json_schema_extra={"example": examples.JOB})
