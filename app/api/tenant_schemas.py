"""The shapes of answers about a tenant itself: keys, quotas, the audit log, erasures."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.examples import DIGEST, ID, MOMENT
from app.domain.requests import Request, Word
from app.domain.retention import Retention
from app.domain.scopes import USUAL, Scope

_KEY: dict[str, Any] = {
    "object": "key",
    "prefix": "h3Jx_q2A",
    "name": "shop",
    "scopes": ["read", "submit"],
    "state": "active",
    "created_at": MOMENT,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": MOMENT,
}


class KeyRequest(Request):
    """A key to be made."""

    name: Word = Field(examples=["shop"])
    scopes: list[Scope] = Field(list(USUAL), min_length=1, description="What it may do.")
    days: int | None = Field(None, ge=1, le=3_650, description="Until it expires; null: never.")


class RotationRequest(Request):
    """How a key is exchanged."""

    overlap_seconds: int = Field(
        24 * 3600, ge=0, le=30 * 86_400, description="How long the old one still opens."
    )


class Key(BaseModel):
    """An API key, but for its secret."""

    object: Literal["key"] = "key"
    prefix: str = Field(description="What stands behind `imp_`: its name in paths and logs.")
    name: str
    scopes: list[Scope]
    state: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")

    model_config = ConfigDict(json_schema_extra={"example": _KEY})


class NewKey(Key):
    """A key with its secret, which is shown this once."""

    key: str | None = Field(description="Null in an answer that is given again: shown once.")

    model_config = ConfigDict(
        json_schema_extra={"example": _KEY | {"key": "imp_h3Jx_q2A_(shown once)"}}
    )


class Keys(BaseModel):
    data: list[Key]


class Quota(BaseModel):
    """A quota as it holds for you."""

    name: str = Field(examples=["burst"])
    quota: int
    window: int | None = Field(
        description="So much in any window of so many seconds; null: so much at any moment."
    )
    unit: str = Field(examples=["requests"])


class Tenant(BaseModel):
    """Who you are to us."""

    object: Literal["tenant"] = "tenant"
    id: UUID
    name: str
    quotas: list[Quota] = Field(description="What is not here has no limit.")
    retention: Retention
    created_at: datetime


class AuditLine(BaseModel):
    """One deed. `hash` binds it to `previous`, the line before it."""

    object: Literal["audit_line"] = "audit_line"
    sequence: int
    at: datetime
    by: str = Field(description="`key:PREFIX`, `operator` or `system`.")
    action: str
    target: str
    details: dict[str, Any]
    details_digest: str
    previous: str
    hash: str

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "object": "audit_line",
                "sequence": 2,
                "at": MOMENT,
                "by": "key:h3Jx_q2A",
                "action": "campaign.accepted",
                "target": f"campaign:{ID}",
                "details": {"items": 1000},
                "details_digest": DIGEST,
                "previous": DIGEST,
                "hash": DIGEST,
            }
        }
    )


class ErasureUrls(BaseModel):
    get: str
    digests: str


class Erasure(BaseModel):
    """What is being forgotten; once `finished`, the receipt."""

    object: Literal["erasure"] = "erasure"
    id: UUID
    status: Literal["running", "finished"]
    kind: Literal["asset", "job", "campaign", "all"]
    target: str
    canceled_jobs: int = Field(description="That had not ended.")
    erased_jobs: int = Field(description="Rows that keep nothing of yours any more.")
    erased_pictures: int
    erased_bytes: int
    kept_pictures: int = Field(description="That other jobs or styles of yours need.")
    digests_sha256: str | None = Field(description="Of `urls.digests`, once it is finished.")
    created_at: datetime
    finished_at: datetime | None
    urls: ErasureUrls

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "object": "erasure",
                "id": ID,
                "status": "finished",
                "kind": "asset",
                "target": DIGEST,
                "canceled_jobs": 1,
                "erased_jobs": 4,
                "erased_pictures": 4,
                "erased_bytes": 481223,
                "kept_pictures": 0,
                "digests_sha256": DIGEST,
                "created_at": MOMENT,
                "finished_at": MOMENT,
                "urls": {
                    "get": f"/v1/erasures/{ID}",
                    "digests": f"/v1/erasures/{ID}/digests",
                },
            }
        }
    )
