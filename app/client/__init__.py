"""Talking to an Impasto service from Python: what our own CLI and demo use."""

from app.client.campaign import Campaign, Counts, ManifestError
from app.client.costs import CacheUse, CostGroup, Estimate
from app.client.errors import (
    Invalid,
    KeyMissing,
    KeyRefused,
    NothingThere,
    NotNow,
    Problem,
    ServiceAway,
    ServiceError,
    StillRunning,
    TooMany,
    Unavailable,
    WebhookInvalid,
)
from app.client.impasto import Impasto
from app.client.keys import Key
from app.client.models import Job, Rendition, Style, Upload
from app.client.origins import Origin
from app.client.presets import Preset
from app.client.reviews import Review
from app.client.transport import Client, Sent
from app.client.webhook import verify_webhook

__all__ = [
    "CacheUse",
    "Campaign",
    "Client",
    "CostGroup",
    "Counts",
    "Estimate",
    "Impasto",
    "Invalid",
    "Job",
    "Key",
    "KeyMissing",
    "KeyRefused",
    "ManifestError",
    "NotNow",
    "NothingThere",
    "Origin",
    "Preset",
    "Problem",
    "Rendition",
    "Review",
    "Sent",
    "ServiceAway",
    "ServiceError",
    "StillRunning",
    "Style",
    "TooMany",
    "Unavailable",
    "Upload",
    "WebhookInvalid",
    "verify_webhook",
]
