"""Answers that are given again to whoever repeats a request."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base


class KeptAnswer(Base):
    """What a request with an `Idempotency-Key` brought, written with the work that it asked for."""

    __tablename__ = "kept_answers"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(DIGEST)  #: of method, address and body
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)

    __table_args__ = (
        CheckConstraint("status BETWEEN 200 AND 299", name="carried_out"),
        CheckConstraint("length(fingerprint) = 64", name="fingerprint_sha256"),
    )
