"""What callers ask for, as types: one picture, or many under one name."""

from app.domain.requests.campaigns import (
    MAX_ITEMS,
    MAX_VARIANTS,
    Budget,
    CampaignItem,
    CampaignOptions,
    CampaignRequest,
    CommonVariant,
    ManifestRequest,
    Variant,
)
from app.domain.requests.jobs import (
    Controls,
    Input,
    JobOptions,
    JobRequest,
    MaskRequest,
    WebhookRequest,
)
from app.domain.requests.words import (
    MAX_METADATA_BYTES,
    MAX_WORD,
    Metadata,
    Request,
    StyleWish,
    Url,
    WebUrl,
    Word,
    storable,
)

__all__ = [
    "MAX_ITEMS",
    "MAX_METADATA_BYTES",
    "MAX_VARIANTS",
    "MAX_WORD",
    "Budget",
    "CampaignItem",
    "CampaignOptions",
    "CampaignRequest",
    "CommonVariant",
    "Controls",
    "Input",
    "JobOptions",
    "JobRequest",
    "ManifestRequest",
    "MaskRequest",
    "Metadata",
    "Request",
    "StyleWish",
    "Url",
    "Variant",
    "WebUrl",
    "WebhookRequest",
    "Word",
    "storable",
]
