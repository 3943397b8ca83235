"""A webhook receiver that writes down everything and believes nothing."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import Any, Self
from uuid import UUID

from standardwebhooks import Webhook, WebhookVerificationError

from app.signing import webhook_secret
from tests.loopback import Received, reply, serving


@dataclass(frozen=True)
class Heard:
    """One webhook as it arrived."""

    tenant_id: UUID
    id: str
    event: dict[str, Any]
    wrong: str | None  #: what is wrong with its signature

    @property
    def about(self) -> tuple[str, str]:
        """Which job or campaign, and what happened to it."""
        facts = self.event.get("data", {})
        return str(facts.get("job_id") or facts.get("campaign_id")), str(self.event.get("type"))


class Log:
    """Listens at `/TENANT`; every tenant's webhooks must be signed with its own secret."""

    def __init__(self, secret_key: str) -> None:
        self.heard: list[Heard] = []
        self.through = 0  #: the port of a link that leads here
        self._secret_key = secret_key
        self._lock = Lock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._server = self._stack.enter_context(serving(self._script))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, tenant_id: UUID) -> str:
        """Where this tenant's webhooks go."""
        return f"http://127.0.0.1:{self.through or self.port}/{tenant_id}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def _script(self, received: Received) -> Iterable[bytes]:
        tenant_id = UUID(received.line.split()[1].strip("/"))
        wrong = None
        try:
            secret = webhook_secret(self._secret_key, tenant_id, 1)
            Webhook(secret).verify(received.body, received.headers)
        except WebhookVerificationError as error:
            wrong = str(error)
        event = json.loads(received.body)
        with self._lock:
            self.heard.append(Heard(tenant_id, received.headers["webhook-id"], event, wrong))
        return [reply(204)]
