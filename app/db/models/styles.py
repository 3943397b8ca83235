"""Stylizers, styles and their immutable versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    LargeBinary,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base
from app.domain.ids import new_id


class Stylizer(Base):
    """One network, known by the digest of its file."""

    __tablename__ = "stylizers"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    embedding_size: Mapped[int]
    card: Mapped[dict[str, Any]]

    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("embedding_size > 0", name="embedding_size_positive"),
    )


class Style(Base):
    """A look, by the name callers use."""

    __tablename__ = "styles"

    slug: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]


class StyleVersion(Base):
    """What a campaign pins: one embedding for one stylizer. Never changes once written."""

    __tablename__ = "style_versions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(ForeignKey("styles.slug"))
    version: Mapped[int]
    stylizer_digest: Mapped[str] = mapped_column(ForeignKey("stylizers.digest"))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)  #: float32, little-endian
    card: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("slug", "version", "stylizer_digest"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("mod(length(embedding), 4) = 0", name="embedding_float32"),
    )
