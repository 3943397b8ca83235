"""Who did what: lines that are appended and never changed, each bound to the one before."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base


class AuditLine(Base):
    """One deed; a trigger refuses UPDATE, DELETE and TRUNCATE."""

    __tablename__ = "audit_log"

    chain: Mapped[UUID] = mapped_column(primary_key=True)  #: a tenant, or nobody: the house itself
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(255))
    details: Mapped[str] = mapped_column(Text)  #: JSON, as it was digested
    details_digest: Mapped[str] = mapped_column(DIGEST)
    previous: Mapped[str] = mapped_column(DIGEST)
    hash: Mapped[str] = mapped_column(DIGEST)

    __table_args__ = (
        CheckConstraint("sequence > 0", name="sequence_positive"),
        Index("ix_audit_log_at", "at"),
    )


class AuditHead(Base):
    """Where a chain ends. Its row lock orders writers; it shows when lines are missing there."""

    __tablename__ = "audit_heads"

    chain: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    hash: Mapped[str] = mapped_column(DIGEST)
