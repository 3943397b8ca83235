"""Licences that end soon: told once for each notice, however many sweep."""

from typing import Final

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from app.db import events
from app.db.models import Style, StyleVersion, Tenant
from app.domain.licence import terms_of

#: Days before the end at which a notice goes out.
NOTICES: Final = (30, 7, 1)

#: Of several that are due at once, the shortest is told; the others are too late.
_DUE = text("""
WITH due AS (
    INSERT INTO style_notices (slug, version, days)
    SELECT DISTINCT slug, version, days
    FROM style_versions CROSS JOIN unnest(CAST(:notices AS int[])) AS notice (days)
    WHERE status = 'active' AND valid_until > now()
        AND valid_until <= now() + make_interval(days => days)
        AND NOT EXISTS (SELECT FROM style_notices AS told WHERE told.slug = style_versions.slug
            AND told.version = style_versions.version AND told.days = notice.days)
    ON CONFLICT DO NOTHING
    RETURNING slug, version, days
)
SELECT slug, version, min(days) AS days FROM due GROUP BY slug, version ORDER BY slug, version
""")


def announce(session: Session) -> int:
    """Write the events of the notices that are due; answers with how many notices that were."""
    due = session.execute(_DUE, {"notices": list(NOTICES)}).all()
    for notice in due:
        _tell(session, notice)
    return len(due)


def _tell(session: Session, notice: Row[tuple[str, int, int]]) -> None:
    """Its owner; of a style of everybody's, all who may use it: anybody may plan with it."""
    its = (StyleVersion.slug == notice.slug, StyleVersion.version == notice.version)
    version = session.scalars(select(StyleVersion).where(*its).limit(1)).one()
    owner = session.get_one(Style, notice.slug).tenant_id
    if owner is not None:
        told = [owner]
    else:
        licensed = terms_of(version.card).tenants
        some = select(Tenant.id).order_by(Tenant.id)
        told = list(session.scalars(some.where(Tenant.name.in_(licensed)) if licensed else some))
    for tenant_id in told:
        events.record_licence_expiring(session, tenant_id, version, notice.days)
