"""Pictures and manifests that are going to come."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api import examples
from app.domain.requests import Request


class UploadRequest(Request):
    """A picture that is going to come, or a manifest."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of its bytes, in hex.")
    bytes: int = Field(ge=1)
    media_type: Literal["image/jpeg", "image/png", "image/webp", "text/csv", "application/x-ndjson"]


class Upload(BaseModel):
    """Where to bring a picture: send `method` to `url` with exactly these `headers`."""

    object: Literal["upload"] = "upload"
    id: UUID
    received: bool = Field(description="We have these bytes already: nothing needs to be sent.")
    method: Literal["PUT"] = "PUT"
    url: str | None
    headers: dict[str, str]
    expires_at: datetime

    model_config = ConfigDict(json_schema_extra={"example": examples.UPLOAD})
