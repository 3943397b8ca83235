"""What the service shows, as types; fields that a newer service adds are kept as they came."""

from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, PrivateAttr

from app.client.transport import Client


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


class Reviewed(BaseModel):
    """What a person has to say of an output (`pending`), or said; `by` is the key they used."""

    state: str | None
    by: str | None
    reason_code: str | None
    note: str | None


class Job(Shown):
    """One picture in one style."""

    id: UUID
    status: str
    stage: str | None
    attempt: int
    style: str
    custom_id: str | None
    campaign_id: UUID | None
    metadata: dict[str, Any]
    tags: dict[str, str]
    warnings: list[str]
    review: Reviewed | None
    error: JobError | None
    output: Output | None
    renditions: list[Rendition] = []
    rendered_by: UUID | None  #: the job that drew this picture before; such a one costs nothing
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
