"""What happened, and who is to hear of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, words
from app.domain.events import EventType
from app.domain.ids import new_id


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  #: out of attempts; replay makes it pending again


class EventRow(Base):
    """Something happened that somebody subscribed to; its id is the `webhook-id`."""

    __tablename__ = "events"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    type: Mapped[EventType]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    campaign_id: Mapped[UUID | None] = mapped_column(ForeignKey("campaigns.id"))
    sequence: Mapped[int]  #: grows within one job, so that a receiver can drop what comes late
    round: Mapped[int] = mapped_column(SmallInteger, server_default="1")  #: of the job or campaign
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index(
            "uq_events_job_id_type",
            "job_id",
            "type",
            "round",
            unique=True,
            # A job may start more than once; it ends once, in each round.
            postgresql_where=text("job_id IS NOT NULL AND type <> 'job.started'"),
        ),
        Index(
            "uq_events_campaign_id_type",
            "campaign_id",
            "type",
            "round",
            unique=True,
            postgresql_where=text("job_id IS NULL"),
        ),
        Index("ix_events_job_id", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    )


class Delivery(Base):
    """One event on its way to one URL."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(Text)
    state: Mapped[DeliveryState] = mapped_column(
        words(DeliveryState, "state"), server_default=DeliveryState.PENDING.value
    )
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    response_status: Mapped[int | None]
    response_excerpt: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    attempted_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("event_id", "url"),
        CheckConstraint(
            "(delivered_at IS NOT NULL) = (state = 'delivered')", name="delivered_iff_said"
        ),
        Index("ix_deliveries_due", "due_at", postgresql_where=text("state = 'pending'")),
    )
