"""One picture, from its upload to where it came from."""

from typing import Any, Final

from app.api.examples.names import DIGEST, ID, MOMENT

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
        "at": MOMENT,
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
        "drawn_sha256": DIGEST,
        "credentials": {
            "label": f"urn:c2pa:{ID}",
            "manifest_sha256": DIGEST,
            "certificate_sha256": DIGEST,
            "certificate_serial": "407283991734",
            "stamped_at": None,
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
            "submitted_by": {"prefix": "h3Jx_q2A", "name": "nightly import"},
            "review": {
                "rule": "all",
                "state": "approved",
                "by": "key:kP0_x81s",
                "at": MOMENT,
                "reason_code": None,
                "note": None,
                "key": {"prefix": "kP0_x81s", "name": "Ada, brand team"},
            },
            "attempt": 1,
            "rendered_by": None,
            "created_at": MOMENT,
            "started_at": MOMENT,
            "finished_at": MOMENT,
            "drawn_at": MOMENT,
            "machine": {
                "worker": "cpu:0@render-3:412:4f0c9a",
                "hardware": "AMD EPYC 9554 64-Core Processor",
                "image": f"sha256:{DIGEST}",
                "peak_bytes": 1_207_959_552,
            },
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


UPLOAD_REQUEST: Final[dict[str, Any]] = {
    "sha256": DIGEST,
    "bytes": 48_211,
    "media_type": "image/jpeg",
}
