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

from app.db.models.base import DIGEST, Base, words
from app.domain.ids import new_id
from app.domain.style import StyleStatus


class StylePicture(Base):
    """A style's picture that operators gave, for who paints by it; named by its SHA-256."""

    __tablename__ = "style_pictures"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    media_type: Mapped[str]
    bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


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
    """A look: everybody's, or one tenant's, whose id is part of its slug then."""

    __tablename__ = "styles"

    slug: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"), index=True)
    title: Mapped[str]

    __table_args__ = (
        CheckConstraint(
            "CASE WHEN tenant_id IS NULL THEN strpos(slug, '/') = 0"
            " ELSE starts_with(slug, tenant_id || '/') END",
            name="slug_says_whose",
        ),
    )


class StyleVersion(Base):
    """What a campaign pins: one embedding for one stylizer. Never changes once learned."""

    __tablename__ = "style_versions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(ForeignKey("styles.slug"))
    version: Mapped[int]
    stylizer_digest: Mapped[str] = mapped_column(ForeignKey("stylizers.digest"))
    status: Mapped[StyleStatus] = mapped_column(words(StyleStatus, "status"))
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary)  #: float32, little-endian
    card: Mapped[dict[str, Any]]
    preview_digest: Mapped[str | None] = mapped_column(DIGEST)  #: of its owner's assets
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("slug", "version", "stylizer_digest"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("mod(length(embedding), 4) = 0", name="embedding_float32"),
        CheckConstraint(
            "(embedding IS NULL) = (status = 'learning')", name="embedding_iff_learned"
        ),
    )
