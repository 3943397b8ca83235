"""Presets, of which versions are only added, and the further files of what was drawn by them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base
from app.domain.ids import new_id


class Preset(Base):
    """One version of a tenant's preset; a trigger refuses every change but that it is retired."""

    __tablename__ = "presets"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(String(63))
    version: Mapped[int]
    template: Mapped[dict[str, Any]]
    created_by: Mapped[str]  #: `key:<prefix>`
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime | None]  #: since then no new work is accepted under it

    __table_args__ = (
        UniqueConstraint("tenant_id", "name", "version"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint(
            "jsonb_array_length(template -> 'renditions') BETWEEN 1 AND 10", name="some_renditions"
        ),
        Index("ix_presets_tenant_id_id", "tenant_id", "id"),
    )


class RenditionRow(Base):
    """A further file of a job's drawing, written with its output, or copied with it."""

    __tablename__ = "renditions"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    place: Mapped[int] = mapped_column(SmallInteger)  #: in its preset, from 0
    tenant_id: Mapped[UUID]
    digest: Mapped[str] = mapped_column(DIGEST)
    manifest_label: Mapped[str | None]  #: of its Content Credentials; None: unsigned
    manifest_digest: Mapped[str | None] = mapped_column(DIGEST)
    certificate_digest: Mapped[str | None] = mapped_column(DIGEST)  #: of who signed

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "digest"], ["assets.tenant_id", "assets.digest"], name="asset"
        ),
        CheckConstraint(
            "num_nulls(manifest_label, manifest_digest, certificate_digest) IN (0, 3)",
            name="signed_or_not",
        ),
        CheckConstraint("place >= 0", name="place_counted"),
        Index("ix_renditions_tenant_id_digest", "tenant_id", "digest"),
    )
