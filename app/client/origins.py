"""What made a picture, for whoever holds the file."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.client.models import Cost


class StyleUsed(BaseModel):
    """A style that took part, and how its licence is today."""

    style: str
    share: float
    title: str
    status: str
    valid_until: datetime | None
    card: dict[str, Any]


class Provenance(BaseModel):
    """What went in, what drew it, and what it was signed with (`credentials`)."""

    model_config = ConfigDict(extra="allow")

    content_sha256: str
    output_sha256: str
    style: str
    engine: str | None
    device: str | None
    render_key: str
    parameters: dict[str, Any]
    software: str | None
    credentials: dict[str, Any] | None


class Making(BaseModel):
    """One job that gave this output."""

    model_config = ConfigDict(extra="allow")

    job_id: UUID
    campaign_id: UUID | None
    custom_id: str | None
    finished_at: datetime | None
    cost: Cost | None
    styles: list[StyleUsed]
    provenance: Provenance


class Origin(BaseModel):
    """A picture by its SHA-256, and every job of yours that made it, oldest first."""

    sha256: str
    kind: str  #: `content` came from you: nothing here made it
    media_type: str
    width: int
    height: int
    created_at: datetime
    made_by: list[Making]
