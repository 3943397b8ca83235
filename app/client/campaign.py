"""A campaign as the service shows it: watched, steered, handed over."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.client.models import Job, Shown

Progress: TypeAlias = Callable[["Campaign"], object]


class Counts(BaseModel):
    """How many jobs are where; `cached` of `succeeded`, `refused` beside `total`."""

    model_config = ConfigDict(extra="allow")

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    in_review: int = 0
    cached: int = 0
    rejected: int = 0
    expired: int = 0
    refused: int = 0

    @property
    def ended(self) -> int:
        return self.total - self.waiting - self.in_review

    @property
    def waiting(self) -> int:
        """For workers; what is in review waits for people."""
        return self.queued + self.running


class CampaignCost(BaseModel):
    """Money, in millionths of the currency unit."""

    estimated_micros: int
    actual_micros: int
    budget_micros: int | None = None
    currency: str


class ManifestError(BaseModel):
    """A line of a manifest that became no job."""

    line: int
    custom_id: str | None
    code: str
    detail: str


class Campaign(Shown):
    """Many pictures under one name."""

    id: UUID
    name: str
    status: str
    style: str
    metadata: dict[str, Any]
    counts: Counts
    cost: CampaignCost
    eta_seconds: int | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def path(self) -> str:
        return f"/v1/campaigns/{self.id}"

    def refresh(self) -> "Campaign":
        """The same campaign as it is now."""
        return Campaign.of(self._client, self._client.get(self.path))

    def wait(self, progress: Progress | None = None, timeout: float | None = None) -> "Campaign":
        """
        The campaign when it has ended; `progress` sees it whenever it changed.

        Raises `StillRunning` after `timeout` seconds; the campaign goes on.
        """
        return self._watched(progress, timeout, lambda now: now.finished_at is not None)

    def wait_drawn(
        self, progress: Progress | None = None, timeout: float | None = None
    ) -> "Campaign":
        """The same when workers have done their part, though reviewers may have theirs to do."""
        return self._watched(progress, timeout, lambda now: not now.counts.waiting)

    def items(self, status: str | None = None) -> Iterator[Job]:
        """Its jobs in the order they were handed in; only those in that status, if one is given."""
        wanted = {"status": status} if status else {}
        for one in self._client.pages(f"{self.path}/items", limit=200, **wanted):
            yield Job.of(self._client, one)

    def manifest_errors(self) -> Iterator[ManifestError]:
        """Lines of its manifest that became no job, in their order."""
        for one in self._client.pages(f"{self.path}/manifest-errors", limit=1_000):
            yield ManifestError.model_validate(one)

    def cancel(self) -> "Campaign":
        """Withdraw what has not ended. Raises `NotNow` once all of it has."""
        return self._told("cancel")

    def pause(self) -> "Campaign":
        """Begin nothing more of it; what runs is finished."""
        return self._told("pause")

    def resume(self) -> "Campaign":
        """Go on."""
        return self._told("resume")

    def retry_failed(self) -> "Campaign":
        """Try what failed again, under the same job ids. Raises `NotNow` where nothing did."""
        return self._told("retry-failed")

    def set_budget(self, micros: int) -> "Campaign":
        """Let one that has a budget cost more, or less. Raises `NotNow` for one without."""
        return self._told("budget", {"budget_micros": micros})

    def archive(self, path: Path) -> Path:
        """Write its finished pictures there as a ZIP, with a manifest and checksums."""
        return self._saved("archive", path)

    def manifest(self, path: Path, format: str = "csv") -> Path:
        """Write there which picture became which, as `csv` or `jsonl`."""
        return self._saved(f"manifest?format={format}", path)

    def report(self, path: Path, format: str = "html") -> Path:
        """Write counts, costs, times, failures and licences there, as `html` or `pdf`."""
        return self._saved(f"report?format={format}", path)

    def _watched(
        self, progress: Progress | None, timeout: float | None, enough: Callable[["Campaign"], bool]
    ) -> "Campaign":
        campaign = self
        for content in self._client.watch(self.path, timeout=timeout):
            campaign = Campaign.of(self._client, content)
            if progress is not None:
                progress(campaign)
            if enough(campaign):
                break
        return campaign

    def _told(self, word: str, body: dict[str, Any] | None = None) -> "Campaign":
        return Campaign.of(self._client, self._client.post(f"{self.path}/{word}", body))

    def _saved(self, what: str, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._client.save(f"{self.path}/{what}", path, lambda _: None)
        return path
