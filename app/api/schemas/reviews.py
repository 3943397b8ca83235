"""What waits for a reviewer."""

from typing import Literal

from pydantic import BaseModel, Field

from app.api.schemas.jobs import Job, RenditionAsset
from app.domain.review import Decision


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
