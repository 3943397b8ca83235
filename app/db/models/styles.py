"""Stylizers, styles and their immutable versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base, words
from app.domain.ids import new_id
from app.domain.style import StyleMove, StyleStatus


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
    """
    What a campaign pins: one embedding for one stylizer, under the terms of its card's licence.

    Once it is no draft any more, a trigger refuses every change but those of its status.
    """

    __tablename__ = "style_versions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(ForeignKey("styles.slug"))
    version: Mapped[int]
    stylizer_digest: Mapped[str] = mapped_column(ForeignKey("stylizers.digest"))
    status: Mapped[StyleStatus] = mapped_column(words(StyleStatus, "status"))
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary)  #: float32, little-endian
    card: Mapped[dict[str, Any]]
    preview_digest: Mapped[str | None] = mapped_column(DIGEST)  #: of its owner's assets
    valid_until: Mapped[datetime | None]  #: as its licence says, for what must look it up
    suspended_at: Mapped[datetime | None]  #: while set, nothing of it is delivered
    withdrawn_at: Mapped[datetime | None]  #: by its licensor, for good
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("slug", "version", "stylizer_digest"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("mod(length(embedding), 4) = 0", name="embedding_float32"),
        CheckConstraint(
            "(embedding IS NULL) = (status = 'learning')", name="embedding_iff_learned"
        ),
        CheckConstraint(
            "suspended_at IS NOT NULL OR (status <> 'suspended' AND withdrawn_at IS NULL)",
            name="suspended_says_when",
        ),
        CheckConstraint(
            "status <> 'active' OR suspended_at IS NULL", name="active_is_not_suspended"
        ),
        Index(
            "ix_style_versions_valid_until",
            "valid_until",
            postgresql_where=text("valid_until IS NOT NULL"),
        ),
    )


class StyleHistory(Base):
    """Who moved a version, whereto and why; append-only."""

    __tablename__ = "style_history"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    style_version_id: Mapped[UUID] = mapped_column(ForeignKey("style_versions.id"), index=True)
    move: Mapped[StyleMove] = mapped_column(words(StyleMove, "move"))
    status: Mapped[StyleStatus] = mapped_column(words(StyleStatus, "status"))
    by: Mapped[str]  #: `key:<prefix>` or `operator:<name>`
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StyleNotice(Base):
    """That the end of a licence was announced so many days before: once, however many sweep."""

    __tablename__ = "style_notices"

    slug: Mapped[str] = mapped_column(ForeignKey("styles.slug"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    days: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
