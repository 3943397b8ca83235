"""Signing and sending one webhook after Standard Webhooks 1.0.0, and when to try again."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpcore2 import Response
from standardwebhooks import Webhook

from app.egress import Egress, header
from app.errors import SourceForbidden, SourceUnreachable
from app.patience import retry_after

MINUTE, HOUR = 60.0, 3600.0

#: Seconds before the second to the tenth attempt, as the standard proposes: 75 hours in all.
DELAYS: Final = (5.0, 5 * MINUTE, *(h * HOUR for h in (0.5, 2, 5, 10, 14, 20, 24)))
JITTER: Final = 0.2
LONGEST: Final = 24 * HOUR  #: a receiver may ask for more patience, not for oblivion
EXCERPT: Final = 2048  #: bytes of an answer that we keep


@dataclass(frozen=True)
class Keys:
    """What signs for one receiver: every secret that it may still hold, the newest first."""

    secrets: tuple[str, ...] = field(repr=False)
    private: tuple[Ed25519PrivateKey, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What became of one attempt."""

    status: int | None = None
    excerpt: str | None = None
    error: str | None = None  #: what the network did, for people
    code: str | None = None  #: and for programs
    retry_after: float | None = None  #: seconds, as the receiver asked

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def disable(self) -> bool:
        """The receiver wants no more of these, ever."""
        return self.status == 410


def headers(event_id: UUID, body: str, *, keys: Keys, now: datetime) -> dict[str, str]:
    """The headers of one attempt: the id stays over all of them, `now` does not."""
    # The library signs an aware time as if its clock face were UTC.
    utc = now.astimezone(UTC)
    seconds = int(utc.timestamp())
    signatures = [_webhook(secret).sign(str(event_id), utc, body) for secret in keys.secrets]
    content = f"{event_id}.{seconds}.{body}".encode()
    signatures += [f"v1a,{b64encode(key.sign(content)).decode()}" for key in keys.private]
    return {
        "content-type": "application/json",
        "webhook-id": str(event_id),
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }


@lru_cache(1024)
def _webhook(secret: str) -> Webhook:
    return Webhook(secret)


class Sender:
    """Sends webhooks over kept connections; share one between threads."""

    def __init__(self, egress: Egress, *, timeout: float) -> None:
        self._egress = egress
        self._timeout = timeout

    def send(
        self,
        url: str,
        event_id: UUID,
        body: str,
        keys: Keys,
        *,
        now: datetime | None = None,
        traceparent: str | None = None,
    ) -> Answer:
        """
        One attempt; what goes wrong on the network is an answer, too.

        `now` is the database's: receivers refuse what the clock of a machine that is minutes off
        has signed. Unset, it is this machine's.
        """
        now = now or datetime.now(UTC)
        plain = {"user-agent": "impasto", "accept-encoding": "identity"}
        if traceparent is not None:
            plain["traceparent"] = traceparent
        answer = Answer()
        try:
            with self._egress.exchange(
                "POST",
                url,
                seconds=self._timeout,
                headers=headers(event_id, body, keys=keys, now=now) | plain,
                content=body.encode(),
            ) as response:
                # The status decides, also when the rest of the answer never comes.
                answer = Answer(response.status, retry_after=_patience(response, now))
                return replace(answer, excerpt=_excerpt(response))
        except (SourceForbidden, SourceUnreachable) as error:
            return replace(answer, error=str(error), code=error.code)


def _excerpt(response: Response) -> str:
    start = bytearray()
    for chunk in response.iter_stream():
        start += chunk
        if len(start) > EXCERPT:
            break
    # Postgres text holds no null bytes.
    return start[:EXCERPT].replace(b"\0", b"").decode(errors="replace")


def _patience(response: Response, now: datetime) -> float | None:
    value = header(response, b"retry-after")
    return retry_after(value, now=now) if value else None


def next_delay(
    attempts: int, *, retry_after: float | None, random: Callable[[], float]
) -> float | None:
    """
    Seconds until the next attempt after `attempts` failed ones (1 or more); None: no more.

    `random` is uniform in 0..1. A receiver that asks for more patience than our schedule gets
    it, up to a day.
    """
    if attempts > len(DELAYS):
        return None
    jittered = DELAYS[attempts - 1] * (1 + JITTER * (2 * random() - 1))
    return max(jittered, min(retry_after or 0.0, LONGEST))
