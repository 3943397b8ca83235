"""Rows that tests start from, written by the same statements as everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import intake
from app.db.intake import NewAsset, NewJob
from app.db.models import AssetKind, Campaign, Style, StyleVersion, Stylizer, Tenant
from app.domain.ids import new_id, new_ids
from app.domain.job import Lane
from app.domain.parameters import Parameters
from app.domain.style import StyleStatus

RESERVED = 1_000


@dataclass(frozen=True)
class Ground:
    """A tenant with a style, in the database."""

    tenant_id: UUID
    style_version_id: UUID


def new_ground(session: Session, name: str = "acme") -> Ground:
    """A tenant of that name; the style is shared by all."""
    version = session.scalars(select(StyleVersion)).first()
    if version is None:
        stylizer = Stylizer(digest="a" * 64, name="tiny", version="1", embedding_size=1, card={})
        session.add_all([stylizer, Style(slug="plain", title="Plain")])
        session.flush()
        version = StyleVersion(
            slug="plain",
            version=1,
            stylizer_digest="a" * 64,
            status=StyleStatus.ACTIVE,
            embedding=b"\0" * 4,
            card={},
        )
        session.add(version)
    tenant = Tenant(name=name)
    session.add(tenant)
    session.flush()
    return Ground(tenant.id, version.id)


def new_asset(ground: Ground, text: str, kind: AssetKind = AssetKind.CONTENT) -> NewAsset:
    """An asset row for bytes nobody needs."""
    digest = sha256(text.encode()).hexdigest()
    return NewAsset(ground.tenant_id, digest, kind, "image/jpeg", len(text), 64, 64)


def new_jobs(
    session: Session,
    ground: Ground,
    amount: int,
    *,
    lane: Lane = Lane.CAMPAIGN,
    pixels: int = 4096,
    campaign_id: UUID | None = None,
    webhook: dict[str, Any] | None = None,
) -> list[UUID]:
    """Queued jobs, oldest first."""
    rows = planned(session, ground, amount, lane=lane, pixels=pixels, named=bool(campaign_id))
    _add(session, ground, rows, campaign_id, webhook)
    return [job.id for job in rows]


def planned(
    session: Session,
    ground: Ground,
    amount: int,
    *,
    lane: Lane = Lane.CAMPAIGN,
    pixels: int = 4096,
    named: bool = True,
    price: int = RESERVED,
) -> list[NewJob]:
    """Jobs over one picture, not yet queued; `price` is what each reserves."""
    asset = new_asset(ground, "content")
    intake.add_assets(session, [asset])
    return [
        NewJob(
            id=job_id,
            lane=lane,
            source="body",
            style_version_id=ground.style_version_id,
            parameters=Parameters().model_dump(mode="json"),
            custom_id=str(number) if named else None,
            content_digest=asset.digest,
            pixels=pixels,
            reserve_micros=price,
        )
        for number, job_id in enumerate(new_ids(amount))
    ]


def new_campaign(
    session: Session, ground: Ground, total: int, webhook: dict[str, Any] | None = None
) -> UUID:
    """A campaign with that many queued jobs."""
    campaign = Campaign(
        id=new_id(),
        tenant_id=ground.tenant_id,
        name="spring",
        style_version_id=ground.style_version_id,
        parameters=Parameters().model_dump(mode="json"),
        webhook=webhook,
        total=total,
    )
    session.add(campaign)
    session.flush()
    new_jobs(session, ground, total, campaign_id=campaign.id, webhook=webhook)
    return campaign.id


def _add(
    session: Session,
    ground: Ground,
    planned: Sequence[NewJob],
    campaign_id: UUID | None,
    webhook: dict[str, Any] | None,
) -> None:
    intake.add_jobs(
        session,
        planned,
        tenant_id=ground.tenant_id,
        campaign_id=campaign_id,
        webhook=webhook,
        rate_card="test",
    )
