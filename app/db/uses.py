"""
Who needs a stored picture, and who is about to: what is asked before it goes.

Whoever begins to use a picture holds its row until it has committed the use, and whoever erases
it locks the row and looks again. So one of the two waits, and finds what the other left.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg2.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Row, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

#: Statuses that have not ended, each as the partial index that has its rows says it.
_OPEN: Final = (
    "jobs.status = 'queued' AND NOT jobs.paused AND NOT jobs.unfunded",
    "jobs.status = 'queued' AND jobs.unfunded",
    "jobs.status = 'queued' AND jobs.paused",
    "jobs.status = 'running'",
    "jobs.status = 'in_review'",
)

_ENDED: Final = """
EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND content_digest = asset.digest AND finished_at IS NOT NULL
    AND jobs.erased_at IS NULL AND finished_at >= CAST(:contents AS timestamptz))
OR EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND output_digest = asset.digest AND jobs.erased_at IS NULL
    AND (finished_at IS NULL OR finished_at >= CAST(:outputs AS timestamptz)))
OR EXISTS (SELECT FROM renditions JOIN jobs ON jobs.id = renditions.job_id
    WHERE renditions.tenant_id = asset.tenant_id AND renditions.digest = asset.digest
    AND jobs.erased_at IS NULL
    AND (finished_at IS NULL OR finished_at >= CAST(:outputs AS timestamptz)))
OR EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND parameters ? 'mask' AND parameters #>> '{mask,digest}' = asset.digest
    AND jobs.erased_at IS NULL
    AND (finished_at IS NULL OR finished_at >= CAST(:contents AS timestamptz)))
OR EXISTS (SELECT FROM style_versions JOIN styles USING (slug)
    WHERE styles.tenant_id = asset.tenant_id
    AND (preview_digest = asset.digest OR card #>> '{style_image,sha256}' = asset.digest))
"""

_CONTENT: Final = """
OR EXISTS (SELECT FROM jobs WHERE jobs.tenant_id = asset.tenant_id
    AND content_digest = asset.digest AND {status})
"""

_SAME: Final = """
OR EXISTS (SELECT FROM jobs JOIN jobs AS made USING (tenant_id, render_key)
    WHERE tenant_id = asset.tenant_id AND made.output_digest = asset.digest AND {status})
"""

_SAME_RENDITION: Final = """
OR EXISTS (SELECT FROM renditions JOIN jobs AS made ON made.id = renditions.job_id
    JOIN jobs ON jobs.tenant_id = made.tenant_id AND jobs.render_key = made.render_key
    WHERE renditions.tenant_id = asset.tenant_id AND renditions.digest = asset.digest
    AND {status})
"""

#: Whether a row of assets, as `asset`, is needed: by a job that has not ended, by one whose end
#: is not older than `:contents` (its content and mask) or `:outputs`, or by a style. A job that
#: is about to draw the same picture again needs that, too. One probe of an index for each way.
USED: Final = _ENDED + "".join(
    way.replace("{status}", status)
    for way in (_CONTENT, _SAME, _SAME_RENDITION)
    for status in _OPEN
)


def hold(session: Session, tenant_id: UUID, digests: Iterable[str]) -> set[str]:
    """Those of these pictures that are there, and stay until this transaction has ended."""
    wanted = {"tenant_id": str(tenant_id), "digests": sorted(digests)}
    return set(session.scalars(_HOLD, wanted))


def give_way(session: Session) -> None:
    """
    Let this transaction fail rather than wait long for who uses what it wants to erase.

    Sooner than Postgres looks for deadlocks (a second): whoever waits for us goes on.
    """
    session.execute(_GIVE_WAY)


def gave_way(error: OperationalError) -> bool:
    """Whether it was that."""
    return isinstance(error.orig, LockNotAvailable | DeadlockDetected)


def unneeded(
    session: Session, tenant_id: UUID, digests: Iterable[str], **since: datetime | str
) -> list[Row[Any]]:
    """
    Those of these pictures that no job and no style of the tenant needs, locked.

    `contents` and `outputs`: what was used in jobs that ended before is not needed for that.
    """
    locked: dict[str, Any] = {"tenant_id": str(tenant_id), "digests": sorted(digests)}
    session.execute(_LOCK, locked)  # then look: who begins to use one now waits for us
    return list(session.execute(_UNNEEDED, _ALWAYS | locked | since))


def gone(session: Session, tenant_id: UUID, digests: Iterable[str]) -> None:
    """Their bytes are deleted: their links die, and no upload leads to them any more."""
    session.execute(_GONE, {"tenant_id": str(tenant_id), "digests": sorted(digests)})


_GIVE_WAY = text("SET LOCAL lock_timeout = '500ms'")

_HOLD = text("""
SELECT digest FROM assets
WHERE tenant_id = CAST(:tenant_id AS uuid) AND digest = ANY(:digests) AND erased_at IS NULL
ORDER BY digest FOR KEY SHARE
""")

_LOCK = text("""
SELECT 1 FROM assets
WHERE tenant_id = CAST(:tenant_id AS uuid) AND digest = ANY(:digests)
ORDER BY digest FOR UPDATE
""")

_UNNEEDED = text(f"""
SELECT asset.digest, asset.bytes FROM assets AS asset
WHERE asset.tenant_id = CAST(:tenant_id AS uuid) AND asset.digest = ANY(:digests)
    AND asset.erased_at IS NULL AND NOT ({USED})
""")  # noqa: S608 - a constant of ours

_ALWAYS: Final[dict[str, Any]] = {"contents": "-infinity", "outputs": "-infinity"}

_GONE = text("""
WITH expired AS (
    UPDATE uploads SET expires_at = now()
    WHERE tenant_id = CAST(:tenant_id AS uuid) AND expires_at > now()
        AND (digest = ANY(:digests) OR sha256 = ANY(:digests))
)
UPDATE assets SET erased_at = now()
WHERE tenant_id = CAST(:tenant_id AS uuid) AND digest = ANY(:digests)
""")
