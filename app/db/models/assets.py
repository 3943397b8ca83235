"""Stored pictures, and the uploads they come from."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base, words
from app.domain.ids import new_id


class AssetKind(StrEnum):
    """What a stored picture is."""

    CONTENT = "content"
    OUTPUT = "output"


class Asset(Base):
    """A stored picture of one tenant, named by its SHA-256: equal bytes are stored once."""

    __tablename__ = "assets"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    kind: Mapped[AssetKind] = mapped_column(words(AssetKind, "kind"))
    media_type: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None]  #: its bytes are gone; the same may come again

    __table_args__ = (
        CheckConstraint("length(digest) = 64", name="digest_sha256"),
        CheckConstraint("bytes > 0 AND width > 0 AND height > 0", name="sizes_positive"),
    )


class Upload(Base):
    """A promise of bytes; `digest` is set once they arrived and were inspected."""

    __tablename__ = "uploads"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    sha256: Mapped[str | None] = mapped_column(DIGEST)  #: what the caller declared
    media_type: Mapped[str]
    digest: Mapped[str | None] = mapped_column(DIGEST)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "digest"], ["assets.tenant_id", "assets.digest"]),
        CheckConstraint("sha256 IS NULL OR digest IS NULL OR sha256 = digest", name="as_declared"),
        # Manifests, which go when their time is over.
        Index(
            "ix_uploads_manifests",
            "expires_at",
            postgresql_where=text("left(media_type, 6) <> 'image/'"),
        ),
    )
