"""Getting a picture from a URL that somebody gave us."""

from collections.abc import Sequence
from typing import Final

from httpcore2 import Response

from app import buckets
from app.egress import Egress, header
from app.errors import BodyTooLarge, SourceForbidden, SourceUnreachable
from app.settings import BucketSettings, LimitSettings

HEADERS: Final = {
    "Accept": "image/*",
    "Accept-Encoding": "identity",  # a few packed bytes may unpack to gigabytes
    "User-Agent": "impasto",
}


class Fetcher:
    """Fetches the bytes behind a URL within limits; what they are is for the decoder to say."""

    def __init__(
        self, egress: Egress, limits: LimitSettings, buckets: Sequence[BucketSettings] = ()
    ) -> None:
        self._egress = egress
        self._limits = limits
        self._buckets = buckets

    def fetch(self, url: str) -> bytes:
        """
        The body of a 200 answer, or an object of a bucket that we may read.

        Raises `SourceForbidden` (address, redirect), `SourceUnreachable` (no such answer in
        `fetch_seconds`) and `BodyTooLarge` (over `body_bytes`).
        """
        if url.startswith(buckets.SCHEME):
            return buckets.fetch(self._buckets, url, limit=self._limits.body_bytes)
        seconds = self._limits.fetch_seconds
        with self._egress.exchange("GET", url, seconds=seconds, headers=HEADERS) as response:
            _refuse(response)
            return _body(response, self._limits.body_bytes)


def _refuse(response: Response) -> None:
    if 300 <= response.status < 400:
        raise SourceForbidden("The address redirects; give the one it leads to.")
    if response.status != 200:
        raise SourceUnreachable(f"The host answered with status {response.status}.")
    if (header(response, b"content-encoding") or "identity").lower() != "identity":
        raise SourceForbidden("The host packs its answer although we ask for plain bytes.")


def _body(response: Response, limit: int) -> bytes:
    too_large = BodyTooLarge(f"The picture has more than {limit} bytes.", limit=limit)
    if int(header(response, b"content-length") or 0) > limit:
        raise too_large
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)
