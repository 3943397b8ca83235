"""The webhook events we promise: `{type, timestamp, data}`, thin, never pixels."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

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
    CAMPAIGN_PROGRESS = "campaign.progress"
    CAMPAIGN_COMPLETED = "campaign.completed"
    STYLE_LICENCE_EXPIRING = "style.licence_expiring"
    ENDPOINT_TEST = "endpoint.test"
    ENDPOINT_DISABLED = "endpoint.disabled"


JOB_EVENTS: Final[dict[JobStatus, EventType]] = {
    JobStatus.RUNNING: EventType.JOB_STARTED,
    JobStatus.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELED: EventType.JOB_CANCELED,
    JobStatus.EXPIRED: EventType.JOB_EXPIRED,
    JobStatus.REJECTED: EventType.JOB_REJECTED,
    JobStatus.IN_REVIEW: EventType.JOB_IN_REVIEW,
}

#: Where a reviewer's word leads; that it was said is an event of its own, `JOB_REVIEWED`.
VERDICTS: Final = (JobStatus.SUCCEEDED, JobStatus.REJECTED)

#: What a receiver gets when it does not say: one word a job, or one word a campaign.
JOB_DEFAULT: Final = tuple(JOB_EVENTS[status] for status in FINAL)
CAMPAIGN_DEFAULT: Final = (
    EventType.CAMPAIGN_COMPLETED,
    EventType.CAMPAIGN_BUDGET,
    EventType.JOB_FAILED,
)


def sequence(version: int, *, last: bool = True) -> int:
    """
    The number of an event of a job's `version`; it grows within the job, whoever tells of it.

    Two events may tell of one change: that a reviewer spoke, and what it did, which is the `last`.
    """
    return 2 * version + last


PROGRESS_SECONDS: Final = 5.0  #: between two `campaign.progress` of one campaign, at least
PROGRESS_PERCENT: Final = 1  #: of the campaign's jobs between them, at least

MAX_BODY: Final = 20_000  #: bytes; receivers may refuse more (Standard Webhooks)
ENVELOPE: Final = 200  #: bytes of a body, at most, that are not its data
CUT: Final = 256  #: characters that are left of a text that is too long


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


def fitting(data: Mapping[str, Any]) -> dict[str, Any]:
    """
    `data`, small enough for a body of `MAX_BODY` bytes.

    What is largest goes first: texts are cut, all else is left out, and `truncated` names both.
    """
    fits, cut = dict(data), list[str]()
    while len(to_json(fits)) > MAX_BODY - ENVELOPE:
        sizes = {name: len(to_json(fits[name])) for name in data if name not in cut}
        name = max(sizes, key=lambda name: sizes[name])
        cut.append(name)
        value = fits.pop(name)
        if isinstance(value, str):
            fits[name] = value[:CUT] + "…"
        fits["truncated"] = sorted(cut)
    return fits
