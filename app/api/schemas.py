"""The shapes of our answers."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.api import examples
from app.domain.job import JobStatus, Lane
from app.domain.parameters import Parameters
from app.domain.requests import Budget, Request, storable
from app.domain.review import Decision
from app.domain.terms import Priority

Item = TypeVar("Item")
Reason = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(storable)]


class JobError(BaseModel):
    """Why a job failed; `code` is one of `GET /problems`."""

    code: str
    title: str
    detail: str | None
    retryable: bool
    billed: bool = Field(False, description="What has no output costs nothing.")


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
    job_id: UUID
    campaign_id: UUID | None
    campaign: str | None
    custom_id: str | None
    renditions: list[str] = Field(description="SHA-256 of the further files of the same drawing.")
    mix: dict[str, float] | None = Field(description="The shares, where there are several.")
    finished_at: datetime


class Withdrawal(BaseModel):
    """What a withdrawal touches: from now on these pictures are kept, but not delivered."""

    object: Literal["withdrawal"] = "withdrawal"
    style: str = Field(examples=["harbour@3"])
    reason: str
    affected: int = Field(description="Pictures of yours.")
    assets_url: str = Field(description="Lists them, in pages.")


class UploadRequest(Request):
    """A picture that is going to come, or a manifest."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its bytes, in hex.")
    bytes: int = Field(ge=1)
    media_type: Literal["image/jpeg", "image/png", "image/webp", "text/csv", "application/x-ndjson"]


class Upload(BaseModel):
    """Where to bring a picture: send `method` to `url` with exactly these `headers`."""

    object: Literal["upload"] = "upload"
    id: UUID
    received: bool = Field(description="We have these bytes already: nothing needs to be sent.")
    method: Literal["PUT"] = "PUT"
    url: str | None
    headers: dict[str, str]
    expires_at: datetime

    model_config = ConfigDict(json_schema_extra={"example": examples.UPLOAD})


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
    credentials: ContentCredentials | None = Field(
        None, description="null: it was not signed, or before outputs were."
    )


class Reviewed(BaseModel):
    """What a person has to say of an output, or said."""

    rule: str = Field(description="Which outputs are looked at.", examples=["sample:2%"])
    state: Literal["pending", "approved", "rejected", "skipped"] | None = Field(
        description="skipped: the rule did not choose it; null while there is no output."
    )
    by: str | None = Field(description="The key that the reviewer used.")
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


class ReviewOutput(BaseModel):
    """A picture that nobody but reviewers gets."""

    asset_id: str
    url: str = Field(description="Opens with a key that may review.")
    media_type: str
    bytes: int
    width: int
    height: int
    renditions: list[RenditionAsset] = Field(
        default_factory=list, description="Their `url`s open as this one does."
    )


class Review(BaseModel):
    """A job that waits for a reviewer, and what there is to look at."""

    object: Literal["review"] = "review"
    job: Job
    output: ReviewOutput


class BulkReview(BaseModel):
    """How many jobs a query found; decided on, unless it was a dry run."""

    object: Literal["bulk_review"] = "bulk_review"
    decision: Decision
    dry_run: bool
    count: int


class ManifestError(BaseModel):
    """A line of a manifest that became no job; `code` is one of `GET /problems`."""

    line: int = Field(description="Counted from 1, with the header; of a prefix, its n-th object.")
    custom_id: str | None
    code: str
    detail: str


class Page(BaseModel, Generic[Item]):
    """A part of a listing; `next_cursor` leads to the next part."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


class Cache(BaseModel):
    """How much of your finished work had been drawn before."""

    days: int
    succeeded: int
    cached: int = Field(description="Of those; they cost nothing.")
    ratio: float | None = Field(description="`cached` of `succeeded`; null without any.")


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
