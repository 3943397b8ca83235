"""What every table shares: naming that Alembic can undo, and the columns' usual types."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    DateTime,
    Enum,
    MetaData,
    String,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

from app.domain.events import EventType
from app.domain.job import JobStatus, Lane

DIGEST = String(64)  #: SHA-256 in hex


def words(kind: type[StrEnum], name: str) -> Enum:
    """An enum as text with a CHECK: readable in psql, extended by a plain migration."""
    return Enum(
        kind,
        native_enum=False,
        length=24,
        create_constraint=True,
        name=name,
        values_callable=lambda words: [word.value for word in words],
    )


class Base(DeclarativeBase):
    """Naming that Alembic can undo, and the columns' usual types."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        JobStatus: words(JobStatus, "status"),
        Lane: words(Lane, "lane"),
        EventType: words(EventType, "type"),
    }
