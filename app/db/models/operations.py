"""What operators decide about a fleet."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, String, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, words


class HaltKind(StrEnum):
    """What can be told to take no work."""

    WORKER = "worker"  #: by its name, by `device@host`, or by host
    LANE = "lane"
    STYLE = "style"


class Halt(Base):
    """Claims pass it by until it is resumed; a handful of rows that every claim looks at."""

    __tablename__ = "halts"

    kind: Mapped[HaltKind] = mapped_column(words(HaltKind, "kind"), primary_key=True)
    target: Mapped[str] = mapped_column(String(255), primary_key=True)
    versions: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    pins: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    reason: Mapped[str] = mapped_column(Text, server_default=text("''"))
    by: Mapped[str] = mapped_column(String(255))
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint(
            "(kind = 'style') = (cardinality(versions) > 0 AND cardinality(pins) > 0)",
            name="style_has_versions",
        ),
    )
