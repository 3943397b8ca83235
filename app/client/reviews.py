"""What waits for a person's word, for a key that may review."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from app.client.models import Job, Shown
from app.client.transport import Client

REVIEWS = "/v1/reviews"


class Review(Shown):
    """A job that waits for a reviewer, and its output, which nobody else gets."""

    job: Job
    output: dict[str, Any]

    @classmethod
    def of(cls, client: Client, content: dict[str, Any]) -> Self:
        """With a job that knows its service, too."""
        shown = super().of(client, content)
        shown.job._client = client
        return shown

    def content(self) -> bytes:
        """The bytes that are to be decided on."""
        return self._client.content(self.output["url"])

    def save(self, path: Path) -> Path:
        """Write them there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content())
        return path

    def approve(self, *, note: str | None = None) -> Job:
        """Deliver it. Raises `NotNow` once it is decided, `Invalid` after its licence ended."""
        return self._decide(decision="approve", note=note)

    def reject(self, reason_code: str, *, note: str | None = None) -> Job:
        """Deliver it to nobody, for good. Raises `NotNow` once it is decided."""
        return self._decide(decision="reject", reason_code=reason_code, note=note)

    def _decide(self, **words: Any) -> Job:
        answer = self._client.post(f"{REVIEWS}/{self.job.id}", words)
        return Job.of(self._client, answer)


class Reviews:
    """The desk of a reviewer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self,
        *,
        campaign_id: UUID | str | None = None,
        custom_id_prefix: str | None = None,
        style: str | None = None,
        warning: str | None = None,
    ) -> Iterator[Review]:
        """What waits, oldest first; all that is given must hold."""
        given = {
            "campaign_id": campaign_id and str(campaign_id),
            "custom_id_prefix": custom_id_prefix,
            "style": style,
            "warning": warning,
        }
        query = {word: value for word, value in given.items() if value is not None}
        return (Review.of(self._client, one) for one in self._client.pages(REVIEWS, **query))
