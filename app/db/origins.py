"""What the record of a picture tells beside its jobs: styles, machines, keys by their names."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session

from app.db.models import ApiKey, Inference, Job, Style, StyleVersion


def styles_used(session: Session, stylizer_digest: str, pins: Sequence[str]) -> dict[str, Row[Any]]:
    """Pinned styles for that stylizer, as they are now: title, card, and how their licence is."""
    named = [(slug, int(number)) for slug, _, number in (pin.rpartition("@") for pin in pins)]
    rows = session.execute(
        select(
            StyleVersion.slug,
            StyleVersion.version,
            Style.title,
            StyleVersion.card,
            StyleVersion.status,
            StyleVersion.valid_until,
            StyleVersion.suspended_at,
            StyleVersion.withdrawn_at,
        )
        .join(Style, Style.slug == StyleVersion.slug)
        .where(
            StyleVersion.stylizer_digest == stylizer_digest,
            tuple_(StyleVersion.slug, StyleVersion.version).in_(named),
        )
    )
    return {f"{row.slug}@{row.version}": row for row in rows}


def machines(session: Session, job_ids: Iterable[UUID]) -> dict[UUID, Row[Any]]:
    """What each of these jobs' pictures was drawn on, by it or another, where that was measured."""
    drawn = Inference.job_id == func.coalesce(Job.rendered_by, Job.id)
    columns = (Inference.worker, Inference.hardware, Inference.image, Inference.peak_bytes)
    statement: Any = select(Job.id, *columns).join(Inference, drawn)
    rows: Sequence[Row[Any]] = session.execute(statement.where(Job.id.in_(list(job_ids)))).all()
    return {row.id: row for row in rows}


def key_names(session: Session, tenant_id: UUID, prefixes: Iterable[str]) -> dict[str, str]:
    """What a tenant's keys are called, by their prefixes; revoked ones, too."""
    its = (ApiKey.tenant_id == tenant_id, ApiKey.prefix.in_(list(prefixes)))
    rows = session.execute(select(ApiKey.prefix, ApiKey.name).where(*its))
    return {row.prefix: row.name for row in rows}
