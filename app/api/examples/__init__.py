"""What the document shows of every body: one whole example each."""

from app.api.examples.campaigns import (
    BULK_VERDICT,
    CAMPAIGN,
    CAMPAIGN_OPTIONS,
    CAMPAIGN_REQUEST,
    CAMPAIGN_REQUESTS,
    ESTIMATE,
    ESTIMATE_REQUESTS,
    MANIFESTS,
    VERDICT,
)
from app.api.examples.jobs import JOB, JOB_REQUESTS, ORIGIN, UPLOAD, UPLOAD_REQUEST
from app.api.examples.names import DIGEST, ID, LIST_ID, MOMENT
from app.api.examples.presets import PRESET, PRESET_REQUEST
from app.api.examples.styles import MOVE_REQUEST, STYLE_REQUEST
from app.api.examples.webhooks import (
    DELIVERY,
    DELIVERY_LOG,
    ENDPOINT,
    ENDPOINT_CHANGE,
    ENDPOINT_REQUEST,
)

__all__ = [
    "BULK_VERDICT",
    "CAMPAIGN",
    "CAMPAIGN_OPTIONS",
    "CAMPAIGN_REQUEST",
    "CAMPAIGN_REQUESTS",
    "DELIVERY",
    "DELIVERY_LOG",
    "DIGEST",
    "ENDPOINT",
    "ENDPOINT_CHANGE",
    "ENDPOINT_REQUEST",
    "ESTIMATE",
    "ESTIMATE_REQUESTS",
    "ID",
    "JOB",
    "JOB_REQUESTS",
    "LIST_ID",
    "MANIFESTS",
    "MOMENT",
    "MOVE_REQUEST",
    "ORIGIN",
    "PRESET",
    "PRESET_REQUEST",
    "STYLE_REQUEST",
    "UPLOAD",
    "UPLOAD_REQUEST",
    "VERDICT",
]
