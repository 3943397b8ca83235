"""The service by its nouns: uploads, styles, jobs, campaigns, and what there is to ask of it."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from mimetypes import guess_type
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, Self
from uuid import UUID

from app.client.campaign import Campaign
from app.client.costs import CacheUse, Costs
from app.client.errors import KeyMissing
from app.client.keys import Keys
from app.client.models import Job, Style, Upload
from app.client.origins import Origin
from app.client.presets import Presets
from app.client.reviews import Reviews
from app.client.transport import Client
from app.domain.manifest import SUFFIXES, Format
from app.errors import ImpastoError

JOBS: Final = "/v1/jobs"
CAMPAIGNS: Final = "/v1/campaigns"
HERE: Final = "http://127.0.0.1:8000"  #: where `impasto up` listens


class Uploads:
    """Pictures and manifests on their way in."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, content: Path | bytes, media_type: str | None = None) -> Upload:
        """Bring a picture or a manifest; its bytes travel only if they are new to the service."""
        if isinstance(content, Path):
            media_type = media_type or _media_type(content)
            content = content.read_bytes()
        return Upload.model_validate(self._client.upload_bytes(content, media_type or "image/jpeg"))


class Styles:
    """The looks there are."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self) -> Iterator[Style]:
        """All that can be asked for."""
        return map(Style.model_validate, self._client.get("/v1/styles")["data"])


class Jobs:
    """Single pictures."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
        self,
        *,
        style: str | None = None,
        file: Path | None = None,
        url: str | None = None,
        upload_id: UUID | str | None = None,
        wait: int | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """
        Hand in one picture: a file, an address, or an upload; `options` as the API has them.

        With `wait` the answer comes when it has ended, or after so many seconds (60 at most).
        A `preset` among the options may know the style.
        """
        if file is not None:
            upload_id = self._client.upload(file, idempotency_key).upload_id
        place = {"url": url} if url is not None else {"upload_id": str(upload_id)}
        body = {**_styled(style), "input": place, **options}
        content = self._client.post(JOBS, body, idempotency_key=idempotency_key, wait=wait)
        return Job.of(self._client, content)

    def get(self, job_id: UUID | str) -> Job:
        """Raises `NothingThere`."""
        return Job.of(self._client, self._client.get(f"{JOBS}/{job_id}"))

    def list(self, status: str | None = None) -> Iterator[Job]:
        """Newest first."""
        wanted = {"status": status} if status else {}
        return (Job.of(self._client, one) for one in self._client.pages(JOBS, **wanted))


class Campaigns:
    """Many pictures under one name."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
        self,
        *,
        name: str,
        style: str | None = None,
        files: Mapping[str, Path] | Iterable[Path] | None = None,
        items: Iterable[Mapping[str, Any]] | None = None,
        manifest: Path | None = None,
        manifest_upload_id: UUID | str | None = None,
        s3_prefix: str | None = None,
        refused: Callable[[Path, ImpastoError], None] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Campaign:
        """
        Hand in pictures: exactly one of `files`, `items`, and the three kinds of manifest.

        `files` are uploaded first, over several connections; their names are the `custom_id`s
        unless a mapping says others. A picture that the service refuses raises what it said, or
        is left out if `refused` takes it. `items` may be any number up to 50,000. A `preset` among
        `options` may know the style.
        """
        given = (files, items, manifest, manifest_upload_id, s3_prefix)
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of files, items, manifest, manifest_upload_id, s3_prefix")
        wanted = {"name": name, **_styled(style), **options}
        if files is not None:
            items = self._brought(_named(files), refused, idempotency_key)
        if items is not None:
            return self._sent(_jsonl(items), Format.JSONL, wanted, idempotency_key)
        if manifest is not None:
            kind = SUFFIXES.get(manifest.suffix.lower(), Format.JSONL)
            with manifest.open("rb") as content:
                return self._sent(content, kind, wanted, idempotency_key)
        place = {"upload_id": str(manifest_upload_id)} if manifest_upload_id else None
        wanted["manifest"] = place or {"s3_prefix": s3_prefix}
        content_ = self._client.post(CAMPAIGNS, wanted, idempotency_key=idempotency_key)
        return Campaign.of(self._client, content_)

    def get(self, campaign_id: UUID | str) -> Campaign:
        """Raises `NothingThere`."""
        return Campaign.of(self._client, self._client.get(f"{CAMPAIGNS}/{campaign_id}"))

    def list(self) -> Iterator[Campaign]:
        """Newest first."""
        return (Campaign.of(self._client, one) for one in self._client.pages(CAMPAIGNS))

    def _sent(
        self, manifest: IO[bytes], kind: Format, options: Mapping[str, Any], key: str | None
    ) -> Campaign:
        with manifest:
            content = self._client.post_form(
                CAMPAIGNS,
                {"campaign": json.dumps(options)},
                {"manifest": ("manifest", manifest, kind.value)},
                idempotency_key=key,
            )
        return Campaign.of(self._client, content)

    def _brought(
        self,
        files: Mapping[str, Path],
        refused: Callable[[Path, ImpastoError], None] | None,
        purpose: str | None,
    ) -> Iterator[dict[str, Any]]:
        def seen(path: Path, error: ImpastoError | None) -> None:
            if error is not None:
                if refused is None:
                    raise error
                refused(path, error)

        sent = self._client.upload_all(list(files.values()), seen, purpose)
        uploads = {one.path: one.upload_id for one in sent}
        for custom_id, path in files.items():
            if path in uploads:
                yield {"custom_id": custom_id, "input": {"upload_id": uploads[path]}}


class Impasto(Client):
    """
    A service and a key: `with Impasto(url, key) as impasto: ...`.

    Everything it raises is a `ServiceError`; see `Client` for what is tried again.
    """

    def __init__(self, url: str, key: str, **how: Any) -> None:
        super().__init__(url, key, **how)
        self._place, self._how = url, how
        self.uploads = Uploads(self)
        self.styles = Styles(self)
        self.jobs = Jobs(self)
        self.campaigns = Campaigns(self)
        self.presets = Presets(self)
        self.reviews = Reviews(self)
        self.keys = Keys(self)
        self.costs = Costs(self)

    @classmethod
    def from_environment(cls, **how: Any) -> Self:
        """
        The service at `IMPASTO_URL`, or this machine's, with the key in `IMPASTO_API_KEY`.

        Raises `KeyMissing` without a key.
        """
        key = os.environ.get("IMPASTO_API_KEY", "")
        if not key:
            raise KeyMissing(
                "Set IMPASTO_API_KEY: `impasto up` shows one at its first start, and `impasto keys"
                " create` makes others."
            )
        return cls(os.environ.get("IMPASTO_URL") or HERE, key, **how)

    def holding(self, key: str) -> Self:
        """The same service with another key: a client of its own, to be closed by itself."""
        return type(self)(self._place, key, **self._how)

    def cache(self, days: int = 30) -> CacheUse:
        """How much of the work had been drawn before."""
        return CacheUse.model_validate(self.get("/v1/cache", days=days))

    def provenance(self, sha256: str) -> Origin:
        """What made a picture, by the SHA-256 of its file. Raises `NothingThere`."""
        return Origin.model_validate(self.get(f"/v1/provenance/{sha256}"))

    def webhook_secret(self) -> str:
        """What this tenant's webhooks are signed with; for `verify_webhook`."""
        return str(self.get("/v1/webhook-secret")["secret"])

    def rotate_webhook_secret(self, overlap_seconds: int = 86_400) -> str:
        """A new one; the old one signs beside it for so long, or not at all if it leaked (0)."""
        self.post("/v1/webhook-secret/rotate", {"overlap_seconds": overlap_seconds})
        return self.webhook_secret()


def _styled(style: str | None) -> dict[str, str]:
    return {} if style is None else {"style": style}


def _named(files: Mapping[str, Path] | Iterable[Path]) -> Mapping[str, Path]:
    if isinstance(files, Mapping):
        return files
    paths = list(files)
    named = {path.name: path for path in paths}
    if len(named) < len(paths):
        raise ValueError("two files have the same name: give a mapping from custom_id to path")
    return named


def _jsonl(items: Iterable[Mapping[str, Any]]) -> IO[bytes]:
    """On a disk, because there may be many."""
    file = TemporaryFile()  # noqa: SIM115 - closed by who sends it
    try:
        for item in items:
            file.write(json.dumps(item, default=str).encode() + b"\n")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _media_type(path: Path) -> str:
    known = SUFFIXES.get(path.suffix.lower())
    return known.value if known else guess_type(path.name)[0] or "application/octet-stream"
