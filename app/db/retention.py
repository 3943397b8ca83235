"""What was kept long enough: pictures, and rows of jobs, a batch at a time."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, or_, select, text
from sqlalchemy.orm import Session

from app.db import blanks, uses
from app.db.models import Campaign, Tenant
from app.db.uses import USED
from app.domain.retention import Retention

EVERY: Final = timedelta(hours=1)
BATCH: Final = 100  #: pictures of one transaction
ROWS: Final = 500  #: jobs of one transaction


def take(session: Session) -> Tenant | None:
    """A tenant that keeps things for a while and whose hour has come, locked."""
    due = or_(Tenant.retained_at.is_(None), Tenant.retained_at < func.now() - EVERY)
    statement = select(Tenant).where(Tenant.retention != {}, due).order_by(Tenant.id).limit(1)
    # Not the key: jobs of the tenant are accepted meanwhile.
    return session.scalars(statement.with_for_update(skip_locked=True, key_share=True)).first()


def pictures(session: Session, tenant_id: UUID, wanted: Retention) -> list[Row[Any]]:
    """Some that are due, `digest` and `bytes`, locked; none that a job or a style needs."""
    now = session.scalars(select(func.now())).one()
    since = {name: _since(now, wanted.days(name)) for name in ("contents", "outputs")}
    its: dict[str, Any] = {"tenant_id": str(tenant_id), "most": BATCH, **since}
    digests = [row.digest for row in session.execute(_DUE, its)]
    return uses.unneeded(session, tenant_id, digests, **since) if digests else []


def rows(session: Session, tenant_id: UUID, wanted: Retention) -> int:
    """Delete some jobs that ended too long ago, and blank such campaigns; how many jobs went."""
    if wanted.jobs is None:
        return 0
    since = func.now() - timedelta(days=wanted.jobs)
    blanks.campaigns(session, tenant_id, Campaign.finished_at < since)
    due = {"tenant_id": str(tenant_id), "days": wanted.jobs, "most": ROWS}
    return len(session.execute(_DELETE, due).all())


def done(session: Session, tenant: Tenant) -> None:
    """Nothing more is due for an hour."""
    tenant.retained_at = session.scalar(select(func.now()))


def _since(now: datetime, days: int | None) -> datetime | str:
    """What ended after it is kept; without a limit, everything did."""
    return "-infinity" if days is None else now - timedelta(days=days)


_DUE = text(f"""
SELECT digest FROM assets AS asset
WHERE tenant_id = CAST(:tenant_id AS uuid) AND erased_at IS NULL
    AND created_at < CASE kind WHEN 'content' THEN CAST(:contents AS timestamptz)
        ELSE CAST(:outputs AS timestamptz) END
    AND NOT ({USED})
LIMIT :most
""")  # noqa: S608 - a constant of ours

_DELETE = text("""
DELETE FROM jobs WHERE id IN (
    SELECT jobs.id FROM jobs LEFT JOIN campaigns ON campaigns.id = campaign_id
    WHERE jobs.tenant_id = CAST(:tenant_id AS uuid)
        AND jobs.finished_at < now() - make_interval(days => :days)
        AND (campaign_id IS NULL OR campaigns.finished_at < now() - make_interval(days => :days))
    ORDER BY jobs.id LIMIT :most
) RETURNING id
""")
