"""Talking to an Impasto service over HTTP: what our own CLI and demo use."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from app.errors import ImpastoError

UPLOADS_AT_ONCE: Final = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0  #: seconds between polls while nothing changes


class ServiceError(ImpastoError):
    """The service refused or could not; the text is its own, the code, too."""

    code = "service"


class ServiceAway(ServiceError):
    """Nobody answers there; that is about all pictures, not about one."""


@dataclass(frozen=True)
class Sent:
    """A picture that the service has, under the name it had here."""

    path: Path
    upload_id: str


class Client:
    """One service, one key; a context manager. Raises `ServiceError` for every refusal."""

    def __init__(self, url: str, key: str, *, timeout: float = 30.0) -> None:
        headers = {"authorization": f"Bearer {key}"}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout)
        # Upload URLs may belong to a store, and the key is none of its business.
        self._open = httpx2.Client(timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()
        self._open.close()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """One object of the API."""
        return _answer(self._ask(self._http, "GET", path, params=query))

    def post(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """One action of the API."""
        return _answer(self._ask(self._http, "POST", path, json=body, params=query))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change one object of the API."""
        return _answer(self._ask(self._http, "PATCH", path, json=body))

    def delete(self, path: str) -> dict[str, Any]:
        """Do without one object of the API; as it was last."""
        return _answer(self._ask(self._http, "DELETE", path))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every object of a listing, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def upload(self, path: Path) -> Sent:
        """Bring one picture; its bytes travel only if the service does not have them."""
        content = path.read_bytes()
        media_type = guess_type(path.name)[0] or "application/octet-stream"
        asked = {
            "sha256": sha256(content).hexdigest(),
            "bytes": len(content),
            "media_type": media_type,
        }
        upload = self.post("/v1/uploads", asked)
        if not upload["received"]:
            headers = upload["headers"]
            self._ask(self._open, upload["method"], upload["url"], content=content, headers=headers)
        return Sent(path, upload["id"])

    def upload_all(
        self, paths: Sequence[Path], seen: Callable[[Path, ImpastoError | None], None]
    ) -> list[Sent]:
        """Bring many; `seen` hears of each, with the reason when it was refused."""

        def bring(path: Path) -> Sent | None:
            try:
                sent = self.upload(path)
            except ServiceAway:
                raise
            except ServiceError as error:
                seen(path, error)
                return None
            seen(path, None)
            return sent

        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            return [sent for sent in pool.map(bring, paths) if sent is not None]

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """A job or a campaign whenever it changed, until it is finished; polling costs ETags."""
        etag, pause = "", FIRST_PAUSE
        while True:
            headers = {"if-none-match": etag} if etag else {}
            response = self._ask(self._http, "GET", path, headers=headers)
            if response.status_code != httpx2.codes.NOT_MODIFIED:
                work = _answer(response)
                etag, pause = response.headers.get("etag", ""), FIRST_PAUSE
                yield work
                if work["finished_at"] is not None:
                    return
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def download(self, url: str) -> bytes:
        """The bytes behind a delivery URL."""
        return self._ask(self._open, "GET", url, follow_redirects=True).content

    def asset(self, digest: str) -> bytes:
        """A stored picture of ours, by its SHA-256."""
        path = f"/v1/assets/{digest}"
        return self._ask(self._http, "GET", path, follow_redirects=True).content

    def _ask(self, http: httpx2.Client, method: str, url: str, **request: Any) -> httpx2.Response:
        try:
            response = http.request(method, url, **request)
        except httpx2.TransportError as error:
            where = error.request.url.copy_with(raw_path=b"/")
            raise ServiceAway(f"{where} does not answer: {error}") from error
        if not response.is_success and response.status_code != httpx2.codes.NOT_MODIFIED:
            raise _refusal(response)
        return response


def _answer(response: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    return body


def _refusal(response: httpx2.Response) -> ServiceError:
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        problem = response.json()
        return ServiceError(f"{problem['detail']} ({problem['code']})")
    return ServiceError(f"HTTP {response.status_code} from {response.url.host}")
