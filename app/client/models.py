"""What the service shows, as types; fields that a newer service adds are kept as they came."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, PrivateAttr

from app.client.transport import Client

FINISHED = "finished"


class Shown(BaseModel):
    """An object of the API that knows the service it came from."""

    model_config = ConfigDict(extra="allow")
    _client: Client = PrivateAttr()

    @classmethod
    def of(cls, client: Client, content: dict[str, Any]) -> Self:
        shown = cls.model_validate(content)
        shown._client = client
        return shown


class JobError(BaseModel):
    """Why a job failed; `code` is one of `GET /problems`."""

    code: str
    title: str
    detail: str | None
    retryable: bool


class Output(BaseModel):
    """The finished picture; `url` opens without a key until it expires, None is kept back."""

    asset_id: str
    url: str | None
    media_type: str
    bytes: int
    width: int
    height: int


class Rendition(BaseModel):
    """A further file of the same drawing; its `suffix` goes behind the name of the picture."""

    name: str
    sha256: str
    url: str | None
    suffix: str
    media_type: str
    bytes: int
    width: int
    height: int

    @property
    def ending(self) -> str:
        """What a file of it is called behind the name of the picture."""
        kind = self.media_type.rpartition("/")[2]
        return f"{self.suffix}.{'jpg' if kind == 'jpeg' else kind}"


class Cost(BaseModel):
    """Money, in millionths of the currency unit."""

    micros: int
    currency: str


class Job(Shown):
    """One picture in one style."""

    id: UUID
    status: str
    stage: str | None
    style: str
    custom_id: str | None
    campaign_id: UUID | None
    metadata: dict[str, Any]
    error: JobError | None
    output: Output | None
    renditions: list[Rendition] = []
    cost: Cost | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def path(self) -> str:
        return f"/v1/jobs/{self.id}"

    def refresh(self) -> "Job":
        """The same job as it is now."""
        return Job.of(self._client, self._client.get(self.path))

    def wait(self, timeout: float | None = None) -> "Job":
        """The job when it has ended. Raises `StillRunning` after `timeout` seconds."""
        *_, last = self._client.watch(self.path, timeout=timeout)
        return Job.of(self._client, last)

    def cancel(self) -> "Job":
        """Withdraw it. Raises `NotNow` once it has ended."""
        return Job.of(self._client, self._client.post(f"{self.path}/cancel"))

    def content(self) -> bytes:
        """The bytes of the output. Raises `ValueError` while there is none to be had."""
        if self.output is None or self.output.url is None:
            raise ValueError(f"job {self.id} is {self.status}: it has no output")
        return self._client.download(self.output.url)

    def save(self, path: Path) -> Path:
        """Write the output there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content())
        return path

    def save_renditions(self, folder: Path, name: str) -> dict[str, Path]:
        """Write each that may be delivered there, called `name` and its ending; where, by name."""
        folder.mkdir(parents=True, exist_ok=True)
        saved: dict[str, Path] = {}
        for one in self.renditions:
            if one.url is not None:
                saved[one.name] = folder / f"{name}{one.ending}"
                saved[one.name].write_bytes(self._client.download(one.url))
        return saved


class Counts(BaseModel):
    """How many jobs are where; `refused` counts lines that became none."""

    model_config = ConfigDict(extra="allow")

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    in_review: int = 0
    refused: int = 0

    @property
    def ended(self) -> int:
        return self.total - self.queued - self.running - self.in_review


class CampaignCost(BaseModel):
    """Money, in millionths of the currency unit."""

    estimated_micros: int
    actual_micros: int
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

    def wait(
        self,
        progress: Callable[["Campaign"], object] | None = None,
        timeout: float | None = None,
    ) -> "Campaign":
        """
        The campaign when it has ended; `progress` sees it whenever it changed.

        Raises `StillRunning` after `timeout` seconds; the campaign goes on.
        """
        campaign = self
        for content in self._client.watch(self.path, timeout=timeout):
            campaign = Campaign.of(self._client, content)
            if progress is not None:
                progress(campaign)
        return campaign

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
        return Campaign.of(self._client, self._client.post(f"{self.path}/cancel"))


class Upload(BaseModel):
    """A picture or a manifest that the service has, until `expires_at`."""

    id: UUID
    expires_at: datetime


class Style(BaseModel):
    """A look that can be asked for, by `name` or, pinned, by `pinned`."""

    model_config = ConfigDict(extra="allow")

    name: str
    title: str
    version: int
    pinned: str
    status: str
    card: dict[str, Any]
