"""Requests to one service: sent again where that is safe and may help, answered in types."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from random import random
from types import TracebackType
from typing import IO, Any, Final, Self
from uuid import uuid4

import httpx2

from app.client.errors import ServiceAway, ServiceError, refusal
from app.client.watching import watch
from app.errors import ImpastoError

UPLOADS_AT_ONCE: Final = 8
LONGEST_REST: Final = 60.0  #: seconds before one retry, whatever the service asks for


@dataclass(frozen=True)
class Sent:
    """A picture that the service has, under the name it had here."""

    path: Path
    upload_id: str


class Client:
    """
    One service, one key; a context manager, to be shared between threads.

    A request that met no answer, or one that says it may be tried again, is sent again up to
    `retries` times: after `rest` seconds, twice that, and so on, or after `Retry-After`. Every
    POST carries an `Idempotency-Key`, so that nothing is done twice. Raises `ServiceError`.
    """

    def __init__(
        self, url: str, key: str, *, timeout: float = 30.0, retries: int = 3, rest: float = 0.3
    ) -> None:
        headers = {"authorization": f"Bearer {key}"}
        limits = httpx2.Limits(max_connections=4 * UPLOADS_AT_ONCE)
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=timeout, limits=limits)
        # Upload URLs may belong to a store, and the key is none of its business.
        self._open = httpx2.Client(timeout=timeout, limits=limits)
        self._timeout, self._retries, self._rest = timeout, retries, rest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End its connections."""
        self._http.close()
        self._open.close()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """One object of the API."""
        return _answer(self._ask(self._http, "GET", path, params=query))

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        wait: int | None = None,
        **query: Any,
    ) -> dict[str, Any]:
        """One action of the API; its answer may `wait` so many seconds for the work to end."""
        asked: dict[str, Any] = {"json": body, "params": query}
        asked["headers"] = {"idempotency-key": idempotency_key or str(uuid4())}
        if wait is not None:
            asked["headers"]["prefer"] = f"wait={wait}"
            asked["timeout"] = self._timeout + wait
        return _answer(self._ask(self._http, "POST", path, **asked))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change one object of the API."""
        return _answer(self._ask(self._http, "PATCH", path, json=body))

    def delete(self, path: str) -> dict[str, Any]:
        """Do without one object of the API; as it was last."""
        return _answer(self._ask(self._http, "DELETE", path))

    def post_form(
        self,
        path: str,
        fields: dict[str, str],
        files: dict[str, tuple[str, IO[bytes], str]],
        *,
        idempotency_key: str | None = None,
        timeout: float = 600.0,
    ) -> dict[str, Any]:
        """One action with files (name, content, media type); they are streamed."""
        headers = {"idempotency-key": idempotency_key or str(uuid4())}
        sent: dict[str, Any] = {"data": fields, "files": files, "timeout": timeout}
        rewind = [content for _, content, _ in files.values()]
        return _answer(self._ask(self._http, "POST", path, rewind=rewind, headers=headers, **sent))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every object of a listing, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["data"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def upload(self, path: Path, purpose: str | None = None) -> Sent:
        """Bring one picture; its bytes travel only if the service does not have them."""
        media_type = guess_type(path.name)[0] or "application/octet-stream"
        upload = self.upload_bytes(path.read_bytes(), media_type, purpose=purpose)
        return Sent(path, upload["id"])

    def upload_bytes(
        self,
        content: bytes,
        media_type: str,
        digest: str | None = None,
        purpose: str | None = None,
    ) -> dict[str, Any]:
        """
        Bring a picture or a manifest; `digest` is its SHA-256, where that is known.

        With a `purpose`, the `idempotency_key` of the work it is for, equal bytes are the same
        upload: another one would make the repeated work look like other work.
        """
        digest = digest or sha256(content).hexdigest()
        asked = {"sha256": digest, "bytes": len(content), "media_type": media_type}
        key = sha256(f"{purpose}:{digest}".encode()).hexdigest() if purpose else None
        upload = self.post("/v1/uploads", asked, idempotency_key=key)
        if not upload["received"]:
            headers = upload["headers"]
            self._ask(self._open, upload["method"], upload["url"], content=content, headers=headers)
        return upload

    def upload_all(
        self,
        paths: Sequence[Path],
        seen: Callable[[Path, ImpastoError | None], None],
        purpose: str | None = None,
    ) -> list[Sent]:
        """Bring many; `seen` hears of each, with the reason when it was refused."""

        def bring(path: Path) -> Sent | None:
            try:
                sent = self.upload(path, purpose)
            except ServiceAway:
                raise
            except ServiceError as error:
                seen(path, error)
                return None
            seen(path, None)
            return sent

        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            return [sent for sent in pool.map(bring, paths) if sent is not None]

    def watch(self, path: str, *, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        """
        A job or a campaign whenever it changed, until it is finished.

        Asked for at the pace of `Retry-After`. Raises `StillRunning` after `timeout` seconds.
        """
        return watch(lambda head: self._ask(self._http, "GET", path, headers=head), path, timeout)

    def download(self, url: str) -> bytes:
        """The bytes behind a delivery URL."""
        return self._ask(self._open, "GET", url, follow_redirects=True).content

    def save(self, path: str, file: Path, seen: Callable[[int], None]) -> None:
        """
        Write an answer of any size to a file; `seen` hears of each piece's bytes.

        What breaks off in the middle leaves no file. Raises `ServiceError`.
        """
        draft = file.with_name(f".{file.name}.part")
        try:
            with self._http.stream("GET", path) as response, draft.open("wb") as written:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                for piece in response.iter_bytes():
                    written.write(piece)
                    seen(len(piece))
            draft.replace(file)
        except httpx2.TransportError as error:
            raise ServiceAway(f"{path} broke off: {error}; try again") from error
        finally:
            draft.unlink(missing_ok=True)

    def asset(self, digest: str) -> bytes:
        """A stored picture of ours, by its SHA-256."""
        return self.content(f"/v1/assets/{digest}")

    def content(self, path: str) -> bytes:
        """The bytes of a picture that the API has, or of what it leads to in its store."""
        return self._ask(self._http, "GET", path, follow_redirects=True).content

    def _ask(
        self,
        http: httpx2.Client,
        method: str,
        url: str,
        rewind: Sequence[IO[bytes]] = (),
        **request: Any,
    ) -> httpx2.Response:
        """All our requests are safe to repeat: reads, PUTs of known bytes, POSTs with a key."""
        for attempt in range(self._retries + 1):
            for content in rewind:
                content.seek(0)
            try:
                return _sent(http, method, url, **request)
            except ServiceError as error:
                last = attempt == self._retries
                if last or not error.problem.retryable:
                    raise
                time.sleep(self._pause(error, attempt))
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, error: ServiceError, attempt: int) -> float:
        """Jittered, so that many clients do not come back together."""
        own = self._rest * float(2**attempt) * (0.75 + random() / 2)
        return min(LONGEST_REST, max(own, error.wait or 0.0))


def _sent(http: httpx2.Client, method: str, url: str, **request: Any) -> httpx2.Response:
    try:
        response = http.request(method, url, **request)
    except httpx2.TransportError as error:
        where = error.request.url.copy_with(raw_path=b"/")
        raise ServiceAway(f"{where} does not answer: {error}") from error
    if not response.is_success and response.status_code != httpx2.codes.NOT_MODIFIED:
        raise refusal(response)
    return response


def _answer(response: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    return body
