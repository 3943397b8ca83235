"""What callers read: single jobs, pages of them, campaigns."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.db import renditions
from app.db.models import (
    Asset,
    Campaign,
    EntryKind,
    Inference,
    Job,
    KnownRateCard,
    LedgerEntry,
    StyleVersion,
    Stylizer,
)
from app.db.standings import ENDS_AT
from app.domain.job import JobStatus
from app.errors import Erased, NotFound

#: All that the answer about a job shows; the style's numbers stay where they are.
_SHOWN: Any = (
    select(
        Job,
        StyleVersion.slug,
        StyleVersion.version.label("style_version"),
        Stylizer.name.label("stylizer_name"),
        Stylizer.version.label("stylizer_version"),
        StyleVersion.stylizer_digest,
        Asset.media_type,
        Asset.bytes,
        Asset.width,
        Asset.height,
        Asset.erased_at,
        Inference.engine,
        Inference.device,
        Inference.batch_size,
        Inference.software,
        Inference.drawn_digest,
        Inference.manifest_label,
        Inference.manifest_digest,
        Inference.certificate_digest,
        Inference.certificate_serial,
        Inference.stamped_at,
        Inference.at.label("drawn_at"),
        LedgerEntry.rate_card,
        LedgerEntry.device_ms,
        LedgerEntry.cpu_ms,
        LedgerEntry.stored_bytes,
        LedgerEntry.signatures,
        KnownRateCard.prices,
        ENDS_AT.label("ends_at"),
        func.now().label("now"),
        renditions.SHOWN.label("renditions"),
    )
    .join(StyleVersion, StyleVersion.id == Job.style_version_id)
    .join(Stylizer, Stylizer.digest == StyleVersion.stylizer_digest)
    .outerjoin(Asset, and_(Asset.tenant_id == Job.tenant_id, Asset.digest == Job.output_digest))
    # Of a picture that was there already, what drew it then; each job's success is one row here.
    .outerjoin(Inference, Inference.job_id == func.coalesce(Job.rendered_by, Job.id))
    .outerjoin(
        LedgerEntry,
        and_(
            LedgerEntry.job_id == Job.id,
            LedgerEntry.kind == EntryKind.SETTLE,
            LedgerEntry.round == Job.round,
        ),
    )
    .outerjoin(KnownRateCard, KnownRateCard.name == LedgerEntry.rate_card)
)

_CAMPAIGNS: Any = select(
    Campaign,
    StyleVersion.slug,
    StyleVersion.version.label("style_version"),
    func.now().label("now"),
).join(StyleVersion, StyleVersion.id == Campaign.style_version_id)


def job(session: Session, tenant_id: UUID, job_id: UUID) -> Row[Any]:
    """One job with all that is shown of it. Raises `NotFound`, also for another tenant's."""
    row: Row[Any] | None = session.execute(
        _SHOWN.where(Job.id == job_id, Job.tenant_id == tenant_id)
    ).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def jobs(
    session: Session,
    tenant_id: UUID,
    *,
    before: UUID | None,
    status: JobStatus | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """A tenant's jobs, newest first."""
    wanted = _wanted(Job.tenant_id == tenant_id, status)
    if before is not None:
        wanted.append(Job.id < before)
    return _rows(session, _SHOWN.where(*wanted).order_by(Job.id.desc()), limit)


def items(
    session: Session,
    campaign_id: UUID,
    *,
    after: UUID | None,
    status: JobStatus | None,
    limit: int,
    more: Sequence[ColumnElement[bool]] = (),
) -> Sequence[Row[Any]]:
    """A campaign's jobs in the order they were handed in; `more` is what `filtered` made."""
    wanted = [*_wanted(Job.campaign_id == campaign_id, status), *more]
    if after is not None:
        wanted.append(Job.id > after)
    return _rows(session, _SHOWN.where(*wanted).order_by(Job.id), limit)


def filtered(
    *, custom_id_prefix: str | None, style: str | None, error: str | None
) -> list[ColumnElement[bool]]:
    """Conditions for `items`. A style: a name, with a version or without; parts of mixes count."""
    wanted: list[ColumnElement[bool]] = []
    if custom_id_prefix is not None:
        wanted.append(Job.custom_id.startswith(custom_id_prefix, autoescape=True))
    if error is not None:
        wanted.append(Job.error_code == error)
    if style is not None:
        wanted.append(_in_style(style))
    return wanted


def _in_style(style: str) -> ColumnElement[bool]:
    """Drawn in it alone, or in a mix with it; a tenant's own is known by its name there, too."""
    name, _, number = style.partition("@")
    its = aliased(StyleVersion)  # beside the version that is shown
    versions = select(its).where(
        or_(its.slug == name, its.slug.endswith(f"/{name}", autoescape=True))
    )
    if number:
        versions = versions.where(cast(its.version, String) == number)
    alone = and_(Job.parameters["mix"].astext.is_(None), Job.style_version_id == its.id)
    mixed = Job.parameters["mix"].has_key(func.concat(its.slug, "@", its.version))
    return versions.where(or_(alone, mixed)).correlate(Job).exists()


def reviews(
    session: Session, wanted: Sequence[ColumnElement[bool]], *, limit: int
) -> Sequence[Row[Any]]:
    """Jobs that wait for a reviewer (`app.db.reviews.wanted`), oldest first."""
    return _rows(session, _SHOWN.where(*wanted).order_by(Job.id), limit)


def campaign(session: Session, tenant_id: UUID, campaign_id: UUID) -> Row[Any]:
    """A campaign and its style's name. Raises `NotFound`, also for another tenant's."""
    mine = (Campaign.id == campaign_id, Campaign.tenant_id == tenant_id)
    row: Row[Any] | None = session.execute(_CAMPAIGNS.where(*mine)).first()
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return row


def campaigns(
    session: Session, tenant_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """A tenant's campaigns, newest first."""
    wanted = [Campaign.tenant_id == tenant_id]
    if before is not None:
        wanted.append(Campaign.id < before)
    return _rows(session, _CAMPAIGNS.where(*wanted).order_by(Campaign.id.desc()), limit)


def asset(session: Session, tenant_id: UUID, digest: str) -> Asset:
    """A stored picture of this tenant. Raises `NotFound`, also for another's, or `Erased`."""
    found = session.get(Asset, (tenant_id, digest))
    if found is None:
        raise NotFound(f"There is no asset {digest}.")
    if found.erased_at is not None:
        raise Erased()
    return found


def made(session: Session, tenant_id: UUID, digest: str, limit: int) -> Sequence[Row[Any]]:
    """A tenant's jobs that gave this picture, oldest first: the first of them drew it."""
    its = renditions.made(tenant_id, digest)
    return _rows(session, _SHOWN.where(its).order_by(Job.id), limit)


def _wanted(whose: ColumnElement[bool], status: JobStatus | None) -> list[ColumnElement[bool]]:
    return [whose] if status is None else [whose, Job.status == status]


def _rows(session: Session, statement: Any, limit: int) -> Sequence[Row[Any]]:
    rows: Sequence[Row[Any]] = session.execute(statement.limit(limit)).all()
    return rows
