"""What work took and what it cost."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base, words


class EntryKind(StrEnum):
    """What a ledger entry does."""

    RESERVE = "reserve"  #: set aside when work is accepted
    SETTLE = "settle"  #: what it cost in the end
    RELEASE = "release"  #: the reservation, given back


class Inference(Base):
    """What one job took of one engine call."""

    __tablename__ = "inferences"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    attempt: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str]
    engine: Mapped[str]
    stylizer_digest: Mapped[str] = mapped_column(DIGEST)
    batch_size: Mapped[int]
    device_ms: Mapped[float]  #: of the whole batch
    pixel_share: Mapped[float]  #: this job's part of it, 0..1
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("batch_size > 0 AND device_ms >= 0", name="measured"),
        CheckConstraint("pixel_share > 0 AND pixel_share <= 1.000001", name="share_of_one"),
    )


class LedgerEntry(Base):
    """Money, append-only: reserve, then settle or release. Amounts in millionths."""

    __tablename__ = "ledger"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    campaign_id: Mapped[UUID | None]
    job_id: Mapped[UUID]
    kind: Mapped[EntryKind] = mapped_column(words(EntryKind, "kind"))
    amount_micros: Mapped[int] = mapped_column(BigInteger)
    rate_card: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("job_id", "kind"),
        Index("ix_ledger_tenant_id_at", "tenant_id", "at"),
    )
