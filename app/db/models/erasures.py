"""What was asked to be forgotten, and the receipt."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base, words
from app.domain.ids import new_id


class ErasureKind(StrEnum):
    """What is to be forgotten."""

    ASSET = "asset"
    JOB = "job"
    CAMPAIGN = "campaign"
    ALL = "all"


class Erasure(Base):
    """One wish, and how far it is. The counts grow with each batch, in its transaction."""

    __tablename__ = "erasures"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    by: Mapped[str] = mapped_column(String(255))
    kind: Mapped[ErasureKind] = mapped_column(words(ErasureKind, "kind"))
    target: Mapped[str] = mapped_column(String(64))  #: an id or a digest; of all, the tenant's id
    canceled: Mapped[int] = mapped_column(server_default="0")  #: jobs that had not ended
    jobs: Mapped[int] = mapped_column(server_default="0")
    pictures: Mapped[int] = mapped_column(server_default="0")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    kept: Mapped[int] = mapped_column(server_default="0")  #: pictures that others need
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        # Asking twice is one wish.
        Index(
            "uq_erasures_open",
            *("tenant_id", "kind", "target"),
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index("ix_erasures_tenant_id_id", "tenant_id", "id"),
        CheckConstraint("jobs >= 0 AND pictures >= 0 AND bytes >= 0", name="counts_not_negative"),
    )


class ErasedPicture(Base):
    """A line of a receipt."""

    __tablename__ = "erased_pictures"

    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("erasures.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
