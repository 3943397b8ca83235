"""Many pictures: handed in, priced, reviewed."""

from typing import Any, Final

from app.api.examples.names import ID, LIST_ID, MOMENT

CAMPAIGN: Final[dict[str, Any]] = {
    "object": "campaign",
    "id": ID,
    "name": "Spring 2027",
    "status": "running",
    "priority": 0,
    "style": "great-wave@3",
    "parameters": {"strength": 1.0, "output": {"format": "jpeg", "quality": 90}},
    "metadata": {},
    "counts": {
        "total": 1000,
        "queued": 400,
        "running": 64,
        "in_review": 0,
        "succeeded": 534,
        "cached": 12,
        "failed": 2,
        "canceled": 0,
        "rejected": 0,
        "expired": 0,
        "refused": 3,
    },
    "cost": {
        "estimated_micros": 274000,
        "actual_micros": 146316,
        "budget_micros": 300000,
        "allotted_micros": 127136,
        "currency": "USD",
    },
    "tags": {"cost_center": "4200", "brand": "acme"},
    "queue_position": 1,
    "eta_seconds": 41,
    "created_at": MOMENT,
    "paused_at": None,
    "cancel_requested_at": None,
    "finished_at": None,
    "urls": {
        "get": f"/v1/campaigns/{ID}",
        "items": f"/v1/campaigns/{ID}/items",
        "cancel": f"/v1/campaigns/{ID}/cancel",
        "pause": f"/v1/campaigns/{ID}/pause",
        "resume": f"/v1/campaigns/{ID}/resume",
        "retry_failed": f"/v1/campaigns/{ID}/retry-failed",
        "manifest_errors": f"/v1/campaigns/{ID}/manifest-errors",
    },
}


CAMPAIGN_OPTIONS: Final[dict[str, Any]] = {"name": "Spring 2027", "style": "great-wave@3"}


CAMPAIGN_REQUEST: Final[dict[str, Any]] = {
    "name": "Spring 2027",
    "style": "great-wave@3",
    "strength": 1.0,
    "output": {"format": "webp", "quality": 85, "size": 1600},
    "tags": {"cost_center": "4200", "brand": "acme"},
    "webhook": {"url": "https://shop.example/hooks"},
    "budget_micros": 300_000,
    "review": "sample:2%",
    "cancel_after": "2h",
    "items": [
        {"custom_id": "4711", "input": {"upload_id": ID}},
        {
            "custom_id": "4712",
            "input": {"url": "https://shop.example/4712.jpg"},
            "strength": 0.6,
            "metadata": {"page": 12},
            "variants": [
                {"custom_id": "4712-soft", "strength": 0.3},
                {"custom_id": "4712-full", "style": "starry-night", "strength": 1.0},
            ],
        },
    ],
}


CAMPAIGN_REQUESTS: Final[dict[str, Any]] = {
    "items": {"value": CAMPAIGN_REQUEST},
    "manifest": {"value": {**CAMPAIGN_OPTIONS, "manifest": {"upload_id": LIST_ID}}},
    "bucket": {"value": {**CAMPAIGN_OPTIONS, "manifest": {"s3_prefix": "s3://photos/spring/"}}},
}


MANIFESTS: Final[dict[str, str]] = {
    "application/x-ndjson": '{"custom_id": "4711", "input": {"url": "https://shop.example/a.jpg"}}\n',
    "text/csv": "custom_id,url,strength\n4711,https://shop.example/a.jpg,0.6\n",
}


ESTIMATE: Final[dict[str, Any]] = {
    "object": "estimate",
    "jobs": 500,
    "assumed": 500,
    "megapixels": 1000.0,
    "price": {
        "micros": 1_258_400,
        "currency": "USD",
        "rate_card": "2026-12",
        "parts": {
            "device": {"quantity": 1032.5, "unit": "seconds", "micros": 1_239_000.0},
            "cpu": {"quantity": 33.333, "unit": "seconds", "micros": 400.0},
            "storage": {"quantity": 0.3261, "unit": "GB-months", "micros": 7500.0},
            "signing": {"quantity": 500, "unit": "signatures", "micros": 1500.0},
            "fixed": {"quantity": 500, "unit": "jobs", "micros": 10_000.0},
        },
    },
    "basis": "measured",
    "queue_position": 12,
    "eta_seconds": 1040,
    "licences": [
        {"style": "great-wave@3", "licence": "CC0-1.0", "licensor": "The Met, Open Access"}
    ],
    "objections": [],
}


ESTIMATE_REQUESTS: Final[dict[str, Any]] = {
    "count": {
        "value": {"style": "great-wave", "output": {"size": 1600}, "count": 500, "megapixels": 2.0}
    },
    "campaign": {"value": CAMPAIGN_REQUEST},
    "job": {"value": {"style": "great-wave", "strength": 0.8, "input": {"upload_id": ID}}},
}


VERDICT: Final[dict[str, Any]] = {
    "decision": "reject",
    "reason_code": "face-distorted",
    "note": "The child on the left.",
}


BULK_VERDICT: Final[dict[str, Any]] = {
    "query": {"campaign_id": ID, "custom_id_prefix": "shoes-"},
    "decision": "approve",
    "dry_run": True,
}
