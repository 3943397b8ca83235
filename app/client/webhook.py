"""Whether a webhook is one of ours."""

import json
from collections.abc import Mapping
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from app.client.errors import WebhookInvalid


def verify_webhook(headers: Mapping[str, str], body: bytes | str, secret: str) -> dict[str, Any]:
    """
    The event that a request to your endpoint brings, if it is signed with `secret`.

    `body` must be the bytes as they came. Raises `WebhookInvalid`, also for what was signed more
    than five minutes ago: answer 401 then.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        Webhook(secret).verify(body, lower)
        event: dict[str, Any] = json.loads(body)
    except (WebhookVerificationError, ValueError) as error:
        raise WebhookInvalid(f"The webhook is not to be trusted: {error}.") from error
    return event
