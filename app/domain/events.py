"""The webhook events we promise: `{type, timestamp, data}`, thin, never pixels."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.domain.job import FINAL, JobStatus


class EventType(StrEnum):
    """What can happen that a receiver may want to know."""

    JOB_STARTED = "job.started"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    JOB_EXPIRED = "job.expired"
    JOB_REJECTED = "job.rejected"
    JOB_IN_REVIEW = "job.in_review"
    JOB_REVIEWED = "job.reviewed"
    CAMPAIGN_BUDGET = "campaign.budget"
    CAMPAIGN_COMPLETED = "campaign.completed"
    STYLE_LICENCE_EXPIRING = "style.licence_expiring"


JOB_EVENTS: Final[dict[JobStatus, EventType]] = {
    JobStatus.RUNNING: EventType.JOB_STARTED,
    JobStatus.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELED: EventType.JOB_CANCELED,
    JobStatus.EXPIRED: EventType.JOB_EXPIRED,
    JobStatus.REJECTED: EventType.JOB_REJECTED,
    JobStatus.IN_REVIEW: EventType.JOB_IN_REVIEW,
}

#: What a receiver gets when it does not say: one word a job, or one word a campaign.
JOB_DEFAULT: Final = tuple(JOB_EVENTS[status] for status in FINAL)
CAMPAIGN_DEFAULT: Final = (
    EventType.CAMPAIGN_COMPLETED,
    EventType.CAMPAIGN_BUDGET,
    EventType.JOB_FAILED,
)


class Event(BaseModel):
    """The body of one webhook; `id` travels in the header, for the receiver to tell copies by."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    type: EventType
    timestamp: datetime
    data: dict[str, Any]

    def body(self) -> str:
        """The exact bytes to sign and to send."""
        return self.model_dump_json(exclude={"id"})
