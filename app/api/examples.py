"""What the document shows of every body: one whole example each."""

from typing import Any, Final

DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ID: Final = "0196f0a4-5b7c-7000-8000-3d1f6a2b9c4e"
MOMENT: Final = "2026-11-22T12:00:00.000Z"

UPLOAD: Final[dict[str, Any]] = {
    "object": "upload",
    "id": ID,
    "received": False,
    "method": "PUT",
    "url": f"https://impasto.example/v1/uploads/{ID}/content?expires=1&signature=x",
    "headers": {"Content-Type": "image/jpeg", "Content-Length": "48211"},
    "expires_at": MOMENT,
}

JOB: Final[dict[str, Any]] = {
    "object": "job",
    "id": ID,
    "status": "succeeded",
    "stage": None,
    "attempt": 1,
    "lane": "interactive",
    "style": "great-wave@3",
    "parameters": {"strength": 0.8, "output": {"format": "jpeg", "quality": 90}},
    "custom_id": None,
    "campaign_id": None,
    "metadata": {"sku": "4711"},
    "tags": {"cost_center": "4200"},
    "queue_position": None,
    "eta_seconds": None,
    "created_at": MOMENT,
    "started_at": MOMENT,
    "finished_at": MOMENT,
    "timings": {"decode": 4.1, "engine": 212.0, "encode": 5.2},
    "deadline_at": None,
    "priority": 0,
    "warnings": [],
    "review": {
        "rule": "all",
        "state": "approved",
        "by": "key:Jx3Pq0aZ",
        "reason_code": None,
        "note": None,
    },
    "error": None,
    "output": {
        "asset_id": DIGEST,
        "url": f"https://cdn.example/assets/{DIGEST}?expires=1&signature=x",
        "media_type": "image/jpeg",
        "bytes": 73112,
        "width": 512,
        "height": 384,
    },
    "rendered_by": None,
    "cost": {
        "micros": 281,
        "currency": "USD",
        "rate_card": "2026-12",
        "parts": {
            "device": {"quantity": 0.2117, "unit": "seconds", "micros": 254.04},
            "cpu": {"quantity": 0.0121, "unit": "seconds", "micros": 0.145},
            "storage": {"quantity": 0.000073112, "unit": "GB-months", "micros": 1.682},
            "signing": {"quantity": 1, "unit": "signatures", "micros": 3},
            "fixed": {"quantity": 1, "unit": "jobs", "micros": 20},
        },
    },
    "provenance": {
        "content_sha256": DIGEST,
        "output_sha256": DIGEST,
        "style": "great-wave@3",
        "stylizer": {"name": "light", "version": "0.1.0", "digest": DIGEST},
        "engine": "onnx-cpu",
        "device": "cpu",
        "batch_size": 4,
        "render_key": DIGEST,
        "parameters": {"strength": 0.8},
        "software": "0.1.0",
        "credentials": {
            "label": f"urn:c2pa:{ID}",
            "manifest_sha256": DIGEST,
            "certificate_sha256": DIGEST,
        },
    },
    "urls": {
        "get": f"/v1/jobs/{ID}",
        "cancel": f"/v1/jobs/{ID}/cancel",
        "retry": f"/v1/jobs/{ID}/retry",
    },
}

ORIGIN: Final[dict[str, Any]] = {
    "object": "origin",
    "sha256": DIGEST,
    "kind": "output",
    "media_type": "image/jpeg",
    "bytes": 73112,
    "width": 512,
    "height": 384,
    "created_at": MOMENT,
    "made_by": [
        {
            "job_id": ID,
            "campaign_id": None,
            "custom_id": None,
            "attempt": 1,
            "created_at": MOMENT,
            "started_at": MOMENT,
            "finished_at": MOMENT,
            "drawn_at": MOMENT,
            "timings": {"decode": 4.1, "device": 212.0, "encode": 5.2, "sign": 2.4},
            "cost": {"micros": 274, "currency": "USD", "rate_card": "2026-11"},
            "styles": [
                {
                    "style": "great-wave@3",
                    "share": 1.0,
                    "title": "The Great Wave off Kanagawa",
                    "status": "active",
                    "valid_until": None,
                    "suspended_at": None,
                    "withdrawn_at": None,
                    "card": {
                        "licence": {
                            "spdx": "CC0-1.0",
                            "licensor": "The Metropolitan Museum of Art",
                            "evidence": "https://www.metmuseum.org/art/collection/search/45434",
                        }
                    },
                }
            ],
            "provenance": JOB["provenance"],
        }
    ],
}

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

JOB_REQUESTS: Final[dict[str, Any]] = {
    "upload": {
        "value": {
            "style": "great-wave",
            "strength": 0.8,
            "output": {"format": "jpeg", "quality": 90, "size": 1024},
            "input": {"upload_id": ID},
            "metadata": {"sku": "4711"},
            "webhook": {"url": "https://shop.example/hooks", "events": ["job.succeeded"]},
        }
    },
    "mix": {
        "value": {
            "style": "great-wave:0.6,starry-night:0.4",
            "keep_colour": 0.5,
            "variation": 7,
            "mask": {"upload_id": ID, "feather": 0.02},
            "input": {"upload_id": ID},
        }
    },
    "preset": {"value": {"preset": "brand", "input": {"upload_id": ID}}},
    "address": {
        "value": {"style": "great-wave@3", "input": {"url": "https://shop.example/4711.jpg"}}
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
    "manifest": {"value": {**CAMPAIGN_OPTIONS, "manifest": {"upload_id": ID}}},
    "bucket": {"value": {**CAMPAIGN_OPTIONS, "manifest": {"s3_prefix": "s3://photos/spring/"}}},
}
MANIFESTS: Final[dict[str, str]] = {
    "application/x-ndjson": '{"custom_id": "4711", "input": {"url": "https://shop.example/a.jpg"}}\n',
    "text/csv": "custom_id,url,strength\n4711,https://shop.example/a.jpg,0.6\n",
}


UPLOAD_REQUEST: Final[dict[str, Any]] = {
    "sha256": DIGEST,
    "bytes": 48_211,
    "media_type": "image/jpeg",
}

STYLE_REQUEST: Final[dict[str, Any]] = {
    "name": "harbour",
    "title": "The Harbour",
    "artist": "Jane Doe",
    "year": 2026,
    "licence": {
        "spdx": "LicenseRef-Contract-2026-11",
        "licensor": "Jane Doe",
        "evidence": "Contract of 1 November 2026, page 3",
    },
    "picture": {"upload_id": ID},
    "minutes": 8,
}

PRESET_REQUEST: Final[dict[str, Any]] = {
    "name": "brand",
    "description": "What the shop window of spring needs.",
    "style": "great-wave",
    "strength": 0.8,
    "keep_colour": 0.2,
    "output": {"format": "jpeg", "quality": 90, "size": 2048},
    "renditions": [
        {"name": "square", "format": "webp", "width": 1080, "height": 1080, "fit": "cover"},
        {
            "name": "story",
            "format": "avif",
            "quality": 75,
            "width": 1080,
            "height": 1920,
            "fit": "cover",
            "gravity": "north",
        },
        {"name": "banner", "width": 1600, "height": 400, "fit": "pad", "colour": "#102030"},
    ],
}
PRESET: Final[dict[str, Any]] = {
    "object": "preset",
    "id": ID,
    "name": "brand",
    "version": 3,
    "pinned": "brand@3",
    "status": "active",
    "template": {name: value for name, value in PRESET_REQUEST.items() if name != "name"},
    "created_by": "key:4f7a90c2",
    "created_at": MOMENT,
    "retired_at": None,
    "urls": {"get": "/v1/presets/brand?version=3", "versions": "/v1/presets?name=brand"},
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
MOVE_REQUEST: Final[dict[str, Any]] = {"reason": "Contract 2026-11 was looked at by legal."}
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
