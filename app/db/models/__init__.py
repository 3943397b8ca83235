"""Every table we own. What must never be false is a constraint here, not a hope elsewhere."""

from app.db.models.assets import Asset, AssetKind, StorePass, Upload
from app.db.models.audit import AuditHead, AuditLine
from app.db.models.base import Base
from app.db.models.costs import (
    DeviceHour,
    EntryKind,
    Inference,
    KnownRateCard,
    LanePace,
    LedgerEntry,
    TagRule,
    Tally,
)
from app.db.models.erasures import ErasedPicture, Erasure, ErasureKind
from app.db.models.events import Delivery, DeliveryState, EventRow
from app.db.models.idempotency import KeptAnswer
from app.db.models.jobs import Campaign, Job, JobHistory
from app.db.models.manifests import ManifestError
from app.db.models.operations import Halt, HaltKind
from app.db.models.presets import Preset, RenditionRow
from app.db.models.styles import (
    Style,
    StyleHistory,
    StyleNotice,
    StylePicture,
    StyleVersion,
    Stylizer,
)
from app.db.models.tenants import ApiKey, Tenant
from app.db.models.webhooks import Circuit, DeliveryAttempt, DisabledBecause, Endpoint

__all__ = [
    "ApiKey",
    "Asset",
    "AssetKind",
    "AuditHead",
    "AuditLine",
    "Base",
    "Campaign",
    "Circuit",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "DeviceHour",
    "DisabledBecause",
    "Endpoint",
    "EntryKind",
    "ErasedPicture",
    "Erasure",
    "ErasureKind",
    "EventRow",
    "Halt",
    "HaltKind",
    "Inference",
    "Job",
    "JobHistory",
    "KeptAnswer",
    "KnownRateCard",
    "LanePace",
    "LedgerEntry",
    "ManifestError",
    "Preset",
    "RenditionRow",
    "StorePass",
    "Style",
    "StyleHistory",
    "StyleNotice",
    "StylePicture",
    "StyleVersion",
    "Stylizer",
    "TagRule",
    "Tally",
    "Tenant",
    "Upload",
]
