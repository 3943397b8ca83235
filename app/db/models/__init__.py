"""Every table we own. What must never be false is a constraint here, not a hope elsewhere."""

from app.db.models.assets import Asset, AssetKind, Upload
from app.db.models.base import Base
from app.db.models.costs import EntryKind, Inference, LedgerEntry
from app.db.models.events import Delivery, DeliveryState, EventRow
from app.db.models.idempotency import KeptAnswer
from app.db.models.jobs import Campaign, Job, JobHistory
from app.db.models.styles import Style, StylePicture, StyleVersion, Stylizer
from app.db.models.tenants import ApiKey, Tenant

__all__ = [
    "ApiKey",
    "Asset",
    "AssetKind",
    "Base",
    "Campaign",
    "Delivery",
    "DeliveryState",
    "EntryKind",
    "EventRow",
    "Inference",
    "Job",
    "JobHistory",
    "KeptAnswer",
    "LedgerEntry",
    "Style",
    "StylePicture",
    "StyleVersion",
    "Stylizer",
    "Tenant",
    "Upload",
]
