"""Endpoints, and what they were sent."""

from typing import Any, Final

from app.api.examples.names import ID, MOMENT

ENDPOINT: Final[dict[str, Any]] = {
    "object": "webhook_endpoint",
    "id": ID,
    "url": "https://shop.example/hooks",
    "events": ["campaign.completed", "job.failed"],
    "description": "The shop's import",
    "signatures": ["v1", "v1a"],
    "enabled": True,
    "disabled_because": None,
    "disabled_at": None,
    "failing_since": None,
    "circuit": "closed",
    "created_at": MOMENT,
}


ENDPOINT_REQUEST: Final[dict[str, Any]] = {
    name: ENDPOINT[name] for name in ("url", "events", "description", "signatures")
}


ENDPOINT_CHANGE: Final[dict[str, Any]] = {"events": None, "enabled": True}


DELIVERY: Final[dict[str, Any]] = {
    "object": "webhook_delivery",
    "id": ID,
    "endpoint_id": ID,
    "url": "https://shop.example/hooks",
    "event_id": ID,
    "event": "job.failed",
    "job_id": ID,
    "campaign_id": ID,
    "state": "delivered",
    "attempts": 2,
    "next_attempt_at": None,
    "response_status": 204,
    "error": None,
    "created_at": MOMENT,
    "delivered_at": MOMENT,
}


DELIVERY_LOG: Final[dict[str, Any]] = {
    "payload": {
        "type": "job.failed",
        "timestamp": MOMENT,
        "data": {
            "job_id": ID,
            "campaign_id": ID,
            "custom_id": "4711",
            "status": "failed",
            "attempt": 1,
            "error_code": "invalid-image",
            "error_detail": "The picture is truncated.",
            "metadata": {"page": 12},
            "sequence": 7,
        },
    },
    "log": [
        {
            "at": MOMENT,
            "duration_ms": 10_000.4,
            "response_status": None,
            "response_excerpt": None,
            "error": {"code": "source-unreachable", "detail": "No full answer came within 10 s."},
        },
        {
            "at": MOMENT,
            "duration_ms": 41.7,
            "response_status": 204,
            "response_excerpt": "",
            "error": None,
        },
    ],
}
