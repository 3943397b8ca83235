"""Whose work it is, and the keys it comes in with."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base
from app.domain.ids import new_id


class Tenant(Base):
    """Whose work it is. Everything a caller can name belongs to exactly one."""

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    webhook_generation: Mapped[int] = mapped_column(server_default="1")
    webhook_retired: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'")
    )  #: until when generations before it sign, too
    quotas: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'")
    )  #: by policy, where they are not everybody's; 0 is no limit
    retention: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'")
    )  #: days, by what is kept; what is not named is kept for good
    retained_at: Mapped[datetime | None]  #: when all that was due had gone
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A secret's digest. 256 random bits need no slow hash; the secret is shown once."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(String(16), unique=True)  #: a person recognises it by it
    digest: Mapped[str] = mapped_column(DIGEST, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]  #: to the minute

    __table_args__ = (
        CheckConstraint(
            "scopes <@ ARRAY['read', 'submit', 'review', 'admin']::varchar[]", name="scopes_known"
        ),
    )
