"""Styles under licences, as tests need them: offered, lapsed, suspended."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from app.db.models import Style, StyleVersion
from app.domain.licence import terms_of
from app.domain.style import StyleStatus

SAID = {"spdx": "LicenseRef-Contract", "licensor": "Jane Doe", "evidence": "page 3"}


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def new_style(
    session: Session, slug: str = "brand", *, tenant_id: UUID | None = None, **limits: Any
) -> StyleVersion:
    """An active style, everybody's unless it is somebody's, under a licence with these limits."""
    card = {"licence": SAID | limits}
    whole = slug if tenant_id is None else f"{tenant_id}/{slug}"
    session.add(Style(slug=whole, title=slug.title(), tenant_id=tenant_id))
    session.flush()
    version = StyleVersion(
        slug=whole,
        version=1,
        stylizer_digest="a" * 64,
        status=StyleStatus.ACTIVE,
        embedding=b"\0" * 4,
        card=card,
        valid_until=terms_of(card).valid_until,
    )
    session.add(version)
    session.flush()
    return version


def had_always(session: Session, slug: str, **limits: Any) -> None:
    """Other limits, as if they had been there from the start: so that time need not pass."""
    card = session.scalars(select(StyleVersion.card).where(StyleVersion.slug == slug)).one()
    card = card | {"licence": card["licence"] | limits}
    session.execute(text("ALTER TABLE style_versions DISABLE TRIGGER style_version_stays"))
    changed = {"card": card, "valid_until": terms_of(card).valid_until}
    session.execute(update(StyleVersion).where(StyleVersion.slug == slug).values(**changed))
    session.execute(text("ALTER TABLE style_versions ENABLE TRIGGER style_version_stays"))
