"""What can go wrong between here and a service, as types."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from app.errors import ImpastoError
from app.patience import retry_after


@dataclass(frozen=True)
class Problem:
    """What the service said (RFC 9457); `code` is stable, `detail` is for people."""

    code: str
    detail: str
    status: int
    title: str = ""
    retryable: bool = False
    request_id: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)  #: `pointer` and `detail` each


class ServiceError(ImpastoError):
    """The service refused or could not; the text is its own, and `problem` has the rest."""

    code = "service"

    def __init__(
        self, detail: str = "", problem: Problem | None = None, *, wait: float | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = problem or Problem(self.code, detail, 0)
        self.wait = wait  #: seconds, as `Retry-After` asks


class ServiceAway(ServiceError):
    """Nobody answers there; that is about all pictures, not about one."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, Problem("service-away", detail, 0, retryable=True))


class KeyRefused(ServiceError):
    """401 and 403: the key is unknown, revoked, or not for this."""


class KeyMissing(ServiceError):
    """There is no key to ask with."""

    code = "key-missing"


class NothingThere(ServiceError):
    """404: no such thing, or another tenant's."""


class NotNow(ServiceError):
    """409: the state of the thing forbids it."""


class Invalid(ServiceError):
    """400, 413 and 422: what was sent cannot be used; `problem.errors` points at each field."""


class TooMany(ServiceError):
    """429: over a quota or a rate, also after waiting as long as was asked for."""


class Unavailable(ServiceError):
    """5xx: the service could not, also when asked again."""


class StillRunning(ServiceError):
    """It has not ended within the time that the caller gave it."""


class WebhookInvalid(ServiceError):
    """Not signed with this secret, or too long ago."""

    code = "webhook-invalid"


PASSING: Final = frozenset({429, 502, 503, 504})  #: what proxies and stores say for now
_KINDS: dict[int, type[ServiceError]] = {
    400: Invalid,
    401: KeyRefused,
    403: KeyRefused,
    404: NothingThere,
    409: NotNow,
    413: Invalid,
    422: Invalid,
    429: TooMany,
}


def refusal(response: httpx2.Response) -> ServiceError:
    """The error that a response tells of."""
    status = response.status_code
    asked = response.headers.get("retry-after")
    wait = retry_after(asked, now=datetime.now(UTC)) if asked else None
    kind = Unavailable if status >= 500 else _KINDS.get(status, ServiceError)
    problem = _problem(response)
    if problem is None:
        return kind(
            f"HTTP {status} from {response.url.host}",
            Problem("http", response.reason_phrase, status, retryable=status in PASSING),
            wait=wait,
        )
    return kind(f"{problem.detail} ({problem.code})", problem, wait=wait)


def _problem(response: httpx2.Response) -> Problem | None:
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    said = response.json()
    names = ("title", "request_id")
    return Problem(
        code=said["code"],
        detail=said["detail"],
        status=response.status_code,
        retryable=bool(said.get("retryable")) or response.status_code == 429,
        errors=said.get("errors") or [],
        **{name: said[name] for name in names if said.get(name)},
    )
