"""A client that costs next to nothing, so that the service is what we measure."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.client import HTTPConnection, HTTPResponse
from threading import local
from typing import Any, Final
from urllib.parse import urlsplit

SENDERS: Final = 4
POLL: Final = 0.5  #: seconds
KEPT: Final = 30.0  #: seconds until an idle connection may have been closed by the other side


class Refused(Exception):
    """The service answered with an error."""


class Caller:
    """One service and one key; a connection for every thread."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self._place = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._here = local()

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        """One request and its answer. Raises `Refused`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self._connection()
        connection.request(method, path, body, self._headers | named)
        response = connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise Refused(f"{method} {path}: {response.status} {content[:300]!r}")
        return response, content

    def get(self, path: str) -> dict[str, Any]:
        return _object(self.send("GET", path)[1])

    def post(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        content = json.dumps(body).encode()
        return _object(
            self.send("POST", path, content, Content_Type="application/json", **headers)[1]
        )

    def upload(self, content: bytes, media_type: str = "image/jpeg") -> str:
        """Bring a picture; the id of its upload."""
        about = {
            "sha256": sha256(content).hexdigest(),
            "bytes": len(content),
            "media_type": media_type,
        }
        upload = self.post("/v1/uploads", about)
        if not upload["received"]:
            place = urlsplit(upload["url"])
            headers = {name.replace("-", "_"): text for name, text in upload["headers"].items()}
            self.send("PUT", f"{place.path}?{place.query}", content, **headers)
        return str(upload["id"])

    def upload_all(self, pictures: Iterable[bytes]) -> list[str]:
        with ThreadPoolExecutor(SENDERS) as pool:
            return list(pool.map(self.upload, pictures))

    def campaign(self, uploads: Sequence[str], style: str, **options: Any) -> str:
        """Hand in a campaign; its id."""
        items = [
            {"custom_id": str(place), "input": {"upload_id": upload}}
            for place, upload in enumerate(uploads)
        ]
        body = {"name": "benchmark", "style": style, "items": items, **options}
        return str(self.post("/v1/campaigns", body)["id"])

    def finish(
        self, campaigns: Sequence[str], seen: Callable[[int], None] = lambda ended: None
    ) -> list[dict[str, Any]]:
        """Wait for their end; `seen` hears how many jobs succeeded. Raises `Refused` if not all."""
        ended: list[dict[str, Any]] = []
        for campaign_id in campaigns:
            before = sum(one["counts"]["total"] for one in ended)
            while True:
                campaign = self.get(f"/v1/campaigns/{campaign_id}")
                counts = campaign["counts"]
                seen(before + counts["succeeded"])
                if campaign["finished_at"]:
                    break
                time.sleep(POLL)
            if counts["succeeded"] != counts["total"]:
                raise Refused(f"campaign {campaign_id} ended with {counts}")
            ended.append(campaign)
        return ended

    def styles(self) -> list[str]:
        """The names of all styles there are."""
        return [style["name"] for style in self.get("/v1/styles")["data"]]

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._here, "connection"):
            host, port = self._place.hostname or "", self._place.port
            self._here.connection, self._here.used = HTTPConnection(host, port, timeout=60), 0.0
        connection: HTTPConnection = self._here.connection
        if time.monotonic() - self._here.used > KEPT:
            connection.close()  # and opened again by the next request
        self._here.used = time.monotonic()
        return connection


def _object(content: bytes) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(content)
    return parsed
