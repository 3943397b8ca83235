"""Which pictures came from a style version, alone or in a mix: what a withdrawal touches."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select, union
from sqlalchemy.orm import Session

from app.db import renditions
from app.db.models import Campaign, Job, StyleVersion, Tenant
from app.errors import NotFound


def pictures(
    session: Session,
    slug: str,
    version: int,
    *,
    tenant_id: UUID,
    after: UUID | None = None,
    limit: int,
) -> Sequence[Row[Any]]:
    """
    A tenant's finished pictures, in the order of their jobs.

    Each with `id` (its job's), `output_digest`, digests of its `renditions`, `custom_id`,
    `parameters`, `finished_at`, `campaign_id`, `campaign` and `tenant`, the last two by name.
    Raises `NotFound`.
    """
    chosen = union(
        *(
            part.order_by(Job.id).limit(limit)
            for part in _parts(session, slug, version, tenant_id, after)
        )
    ).subquery()
    statement = (
        select(
            Job.id,
            Job.output_digest,
            renditions.DIGESTS.label("renditions"),
            Job.custom_id,
            Job.parameters,
            Job.finished_at,
            Job.campaign_id,
            Campaign.name.label("campaign"),
            Tenant.name.label("tenant"),
        )
        .join(chosen, chosen.c.id == Job.id)
        .join(Tenant, Tenant.id == Job.tenant_id)
        .outerjoin(Campaign, Campaign.id == Job.campaign_id)
        .order_by(Job.id)
        .limit(limit)
    )
    return session.execute(statement).all()


def count(session: Session, slug: str, version: int, *, tenant_id: UUID | None) -> int:
    """How many those are, of one tenant, or of all where that is None. Raises `NotFound`."""
    both = union(*_parts(session, slug, version, tenant_id, None)).subquery()
    return session.scalar(select(func.count()).select_from(both)) or 0


def _parts(
    session: Session, slug: str, version: int, tenant_id: UUID | None, after: UUID | None
) -> list[Select[Any]]:
    """Those of the version alone (or first of a mix), and those of mixes that name it."""
    its = (StyleVersion.slug == slug, StyleVersion.version == version)
    ids = session.scalars(select(StyleVersion.id).where(*its)).all()
    if not ids:
        raise NotFound("There is no such version; GET /v1/styles lists them.")
    there: list[ColumnElement[bool]] = [Job.output_digest.is_not(None)]
    if tenant_id is not None:
        there.append(Job.tenant_id == tenant_id)
    if after is not None:
        there.append(Job.id > after)
    mixed = (Job.parameters.has_key("mix"), Job.parameters["mix"].has_key(f"{slug}@{version}"))
    return [
        select(Job.id).where(Job.style_version_id.in_(ids), *there),
        select(Job.id).where(*mixed, *there),
    ]
