"""Talking to an Impasto service from Python: what our own CLI and demo use."""

from app.client.errors import (
    Invalid,
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
from app.client.models import Campaign, Counts, Job, ManifestError, Rendition, Style, Upload
from app.client.presets import Preset
from app.client.transport import Client, Sent
from app.client.webhook import verify_webhook

__all__ = [
    "Campaign",
    "Client",
    "Counts",
    "Impasto",
    "Invalid",
    "Job",
    "KeyRefused",
    "ManifestError",
    "NotNow",
    "NothingThere",
    "Preset",
    "Problem",
    "Rendition",
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
