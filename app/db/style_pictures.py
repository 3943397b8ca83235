"""The pictures that styles were learned from, where there are any: prints are painted by them."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import Asset, Style, StylePicture, StyleVersion
from app.db.styles import pin
from app.domain.style import plain
from app.errors import NoStylePicture
from app.images import Header


@dataclass(frozen=True, slots=True)
class Place:
    """Whose picture it is, and which."""

    owner: UUID | None  #: None: everybody's, from an operator
    digest: str


def add(session: Session, digest: str, header: Header, size: int) -> None:
    """A picture of everybody's, stored before this is written."""
    facts = {"media_type": header.media_type, "width": header.width, "height": header.height}
    new = insert(StylePicture).values(digest=digest, bytes=size, **facts)
    session.execute(new.on_conflict_do_nothing())


def check(session: Session, versions: Iterable[StyleVersion]) -> None:
    """Raises `NoStylePicture` unless every one of these styles has its picture."""
    for version in versions:
        if place(session, version) is None:
            raise NoStylePicture(
                f"The picture that {plain(pin(version))} was learned from is not in the store, and "
                "prints are painted by it. An operator can add it: impasto styles pictures FOLDER."
            )


def place(session: Session, version: StyleVersion) -> Place | None:
    """Where the picture of a version is in the store; None where it is not."""
    digest = (version.card.get("style_image") or {}).get("sha256")
    if digest is None:
        return None
    owner = session.scalar(select(Style.tenant_id).where(Style.slug == version.slug))
    if owner is None:
        return Place(None, digest) if session.get(StylePicture, digest) else None
    asset = session.get(Asset, (owner, digest))
    return Place(owner, digest) if asset and asset.erased_at is None else None


def wanted(session: Session) -> dict[str, str]:
    """The digests of everybody's style pictures that are not in the store, each with its style."""
    digest = StyleVersion.card["style_image"]["sha256"].astext
    here = select(StylePicture.digest)
    missing = select(digest, StyleVersion.slug).where(digest.is_not(None), digest.not_in(here))
    shared = missing.join(Style, Style.slug == StyleVersion.slug).where(Style.tenant_id.is_(None))
    return {row[0]: row[1] for row in session.execute(shared)}
