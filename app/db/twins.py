"""Outputs of one item: jobs whose picture is the same, so that one fetch serves them all."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, text
from sqlalchemy.orm import Session

from app.domain.requests import MAX_VARIANTS

#: An item's outputs have ids side by side, so two short walks along an index find them all.
_TWINS: Final = text(f"""
WITH near AS (
    (SELECT id, source, status, lane, content_digest FROM jobs
     WHERE campaign_id = :campaign_id AND id > :job_id ORDER BY id LIMIT {MAX_VARIANTS - 1})
  UNION ALL
    (SELECT id, source, status, lane, content_digest FROM jobs
     WHERE campaign_id = :campaign_id AND id < :job_id ORDER BY id DESC LIMIT {MAX_VARIANTS - 1})
)
SELECT assets.digest, assets.width, assets.height
FROM near
LEFT JOIN assets ON assets.tenant_id = :tenant_id AND assets.digest = near.content_digest
    AND assets.erased_at IS NULL
WHERE near.source = :source AND (assets.digest IS NOT NULL
    OR (near.lane = 'fetch' AND near.status = 'running' AND near.id < :job_id))
ORDER BY assets.digest NULLS LAST
LIMIT 1
""").bindparams(  # noqa: S608 - our own number
    *(bindparam(name, type_=Uuid) for name in ("campaign_id", "tenant_id", "job_id"))
)


def twin(
    session: Session, tenant_id: UUID, campaign_id: UUID, job_id: UUID, source: str
) -> Row[Any] | None:
    """
    An output of the same item that has the picture, or fetches it now and is older than this.

    With `digest`, `width` and `height` in the first case, all None in the second.
    """
    about = {"tenant_id": tenant_id, "campaign_id": campaign_id, "job_id": job_id}
    return session.execute(_TWINS, {**about, "source": source}).first()
