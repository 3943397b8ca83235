"""What work took and what it cost."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base, words


class EntryKind(StrEnum):
    """What a ledger entry does."""

    RESERVE = "reserve"  #: set aside when work is accepted
    SETTLE = "settle"  #: what it cost in the end
    RELEASE = "release"  #: the reservation, given back


class Inference(Base):
    """What one job took of one engine call, and what its output was signed with."""

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
    worker: Mapped[str | None]  #: the process, as its leases name it
    hardware: Mapped[str | None]  #: model of the device; of a GPU its driver, too
    software: Mapped[str | None]  #: version and commit of what ran
    image: Mapped[str | None]  #: digest of the container that it ran in
    peak_bytes: Mapped[int | None] = mapped_column(BigInteger)  #: of the process, until then
    drawn_digest: Mapped[str | None] = mapped_column(DIGEST)  #: of the file, before its marks
    manifest_label: Mapped[str | None]  #: of its output's Content Credentials; None: unsigned
    manifest_digest: Mapped[str | None] = mapped_column(DIGEST)
    certificate_digest: Mapped[str | None] = mapped_column(DIGEST)  #: of who signed
    certificate_serial: Mapped[str | None] = mapped_column(String(64))  #: decimal
    stamped_at: Mapped[datetime | None]  #: what a time stamping authority said
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("batch_size > 0 AND device_ms >= 0", name="measured"),
        CheckConstraint(
            "num_nulls(manifest_label, manifest_digest, certificate_digest) IN (0, 3)",
            name="signed_or_not",
        ),
        CheckConstraint(
            "manifest_label IS NOT NULL OR num_nulls(certificate_serial, stamped_at) = 2",
            name="stamped_if_signed",
        ),
        CheckConstraint("peak_bytes > 0", name="peak_positive"),
        CheckConstraint("pixel_share > 0 AND pixel_share <= 1.000001", name="share_of_one"),
    )


class LedgerEntry(Base):
    """
    Money, append-only: reserve, then settle or release. Amounts in millionths.

    The table itself refuses UPDATE and DELETE.
    """

    __tablename__ = "ledger"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    campaign_id: Mapped[UUID | None]
    job_id: Mapped[UUID]
    round: Mapped[int] = mapped_column(SmallInteger, server_default="1")  #: of the job
    kind: Mapped[EntryKind] = mapped_column(words(EntryKind, "kind"))
    amount_micros: Mapped[int] = mapped_column(BigInteger)
    rate_card: Mapped[str]
    # What it was charged for; of settlements only. Times the prices of the card, it is the amount.
    device_ms: Mapped[float | None]
    cpu_ms: Mapped[float | None]
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    signatures: Mapped[int | None] = mapped_column(SmallInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("job_id", "kind", "round"),
        Index("ix_ledger_tenant_id_at", "tenant_id", "at"),
    )


class KnownRateCard(Base):
    """The prices behind a name that entries carry. The table refuses UPDATE and DELETE."""

    __tablename__ = "rate_cards"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3))
    prices: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LanePace(Base):
    """
    What pictures of a lane took of a device, as sums that forget: the cost model learns from them.

    `x` is a picture's megapixels. A handful of rows, however much was drawn.
    """

    __tablename__ = "paces"

    lane: Mapped[str] = mapped_column(String(24), primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(primary_key=True)
    tiled: Mapped[bool] = mapped_column(primary_key=True)  #: drawn in tiles, which overlap
    pictures: Mapped[float] = mapped_column(Double)
    x: Mapped[float] = mapped_column(Double)
    xx: Mapped[float] = mapped_column(Double)
    device_ms: Mapped[float] = mapped_column(Double)
    x_device_ms: Mapped[float] = mapped_column(Double)
    cpu_ms: Mapped[float] = mapped_column(Double)
    x_cpu_ms: Mapped[float] = mapped_column(Double)
    stored_bytes: Mapped[float] = mapped_column(Double)
    signatures: Mapped[float] = mapped_column(Double)
    busy_ms: Mapped[float] = mapped_column(Double)  #: of a worker's day; what the clock said
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DeviceHour(Base):
    """How long a worker was up in an hour, and how much of that was charged to somebody."""

    __tablename__ = "device_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    device: Mapped[str]
    engine: Mapped[str]
    up_ms: Mapped[float] = mapped_column(Double)
    used_ms: Mapped[float] = mapped_column(Double)
    pictures: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class TagRule(Base):
    """A key that a tenant's tags may have; a tenant without rules may use any."""

    __tablename__ = "tag_rules"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    words: Mapped[list[str] | None] = mapped_column(ARRAY(String))  #: allowed values; NULL: any
    required: Mapped[bool] = mapped_column(server_default=text("false"))
