"""Who hears of everything, what became of each attempt to tell, and who does not answer."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, words
from app.domain.ids import new_id


class DisabledBecause(StrEnum):
    """Why nothing is sent to an endpoint."""

    ASKED = "asked"  #: its owner said so
    GONE = "gone"  #: it answered 410
    FAILING = "failing"  #: nothing arrived for days
    DELETED = "deleted"  #: its owner wants no more of it; the log of its deliveries stays


class Endpoint(Base):
    """Where a tenant hears of all that happens to it, or of some kinds of it."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    events: Mapped[list[str] | None] = mapped_column(ARRAY(String(24)))  #: all of them without
    v1a: Mapped[bool] = mapped_column(server_default=text("false"))
    generation: Mapped[int] = mapped_column(server_default="1")
    #: Generations that still sign, each with the moment at which it ends, as JSON has moments.
    retired: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[DisabledBecause | None] = mapped_column(
        words(DisabledBecause, "disabled_because")
    )

    __table_args__ = (
        Index("ix_webhook_endpoints_tenant_id_id", "tenant_id", "id"),
        CheckConstraint(
            "(disabled_at IS NULL) = (disabled_because IS NULL)", name="disabled_says_why"
        ),
    )


class DeliveryAttempt(Base):
    """One attempt of a delivery, append-only."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("deliveries.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    duration_ms: Mapped[float | None] = mapped_column(Double)
    response_status: Mapped[int | None]
    response_excerpt: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(Text)


class Circuit(Base):
    """
    How a receiver that has failed before does now; one that never failed has no row.

    A receiver is an endpoint, or one host that jobs of one tenant name.
    """

    __tablename__ = "circuits"

    receiver_id: Mapped[UUID] = mapped_column(primary_key=True)
    failures: Mapped[int]  #: since the last success
    failing_since: Mapped[datetime | None]
    open_until: Mapped[datetime | None]  #: nothing is sent until then, then one
