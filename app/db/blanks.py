"""Rows without what a caller put in: counts, costs and digests stay."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, text, update
from sqlalchemy.orm import Session

from app.db.models import Campaign, ManifestError

GONE: Final = "erased"  #: the name of an erased campaign


def jobs(session: Session, tenant_id: UUID, ids: Sequence[UUID]) -> None:
    """Take out of ended jobs, and of what was told of them, all that a caller put in."""
    session.execute(_JOBS, {"ids": list(ids)})
    session.execute(_EVENTS, {"ids": list(ids)})
    session.execute(_HISTORY, {"ids": list(ids)})
    _answers(session, tenant_id, "jobs", ids)


def campaigns(session: Session, tenant_id: UUID, *its: ColumnElement[bool]) -> None:
    """Take out of campaigns that have ended all that a caller put in."""
    mine = Campaign.tenant_id == tenant_id
    ended = (mine, Campaign.finished_at.is_not(None), Campaign.name != GONE)
    nothing: dict[str, Any] = {
        "name": GONE,
        "metadata_": {},
        "webhook": None,
        "traceparent": None,
        "version": Campaign.version + 1,
    }
    these = update(Campaign).where(*its, *ended).values(nothing).returning(Campaign.id)
    ids = list(session.scalars(these))
    session.execute(_COMPLETED, {"ids": ids})
    session.execute(delete(ManifestError).where(ManifestError.campaign_id.in_(ids)))
    _answers(session, tenant_id, "campaigns", ids)


def _answers(session: Session, tenant_id: UUID, what: str, ids: Sequence[UUID]) -> None:
    """What would be given again to who repeats the request tells nothing any more."""
    places = [f"/v1/{what}/{one}" for one in ids]
    session.execute(_ANSWERS, {"tenant_id": str(tenant_id), "places": places})


_JOBS = text("""
UPDATE jobs SET source = '', metadata = '{}', custom_id = NULL, webhook = NULL,
    error_detail = NULL, traceparent = NULL, verdict = verdict - 'note', erased_at = now(),
    version = version + 1
WHERE id = ANY(CAST(:ids AS uuid[]))
""")

_EVENTS = text("""
WITH told AS (
    UPDATE events SET data = data - '{custom_id,metadata,error_detail,review}'::text[]
    WHERE job_id = ANY(CAST(:ids AS uuid[])) RETURNING id
)
UPDATE delivery_attempts SET response_excerpt = NULL FROM told
JOIN deliveries ON event_id = told.id WHERE delivery_id = deliveries.id
""")

#: What a reviewer said stands behind the decision.
_HISTORY = text("""
UPDATE job_history SET note = split_part(note, ':', 1)
WHERE job_id = ANY(CAST(:ids AS uuid[])) AND note ~ '^(approved|rejected):'
""")

_ANSWERS = text("""
UPDATE kept_answers SET body = '{"erased": true}'
WHERE tenant_id = CAST(:tenant_id AS uuid) AND headers ->> 'location' = ANY(:places)
""")

_COMPLETED = text("""
UPDATE events SET data = (data - 'metadata') || '{"name": "erased"}'
WHERE campaign_id = ANY(CAST(:ids AS uuid[])) AND job_id IS NULL
""")
