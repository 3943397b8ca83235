"""
Pictures that were drawn before: equal render keys of one tenant are drawn once.

Within one tenant only. Between tenants a hit would tell that somebody else has the same picture,
by its price and by its speed. Hits end in sets: when work is accepted, or by whoever claims.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Row,
    Select,
    String,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import campaigns, licences, renditions
from app.db.arrays import as_table
from app.db.intake import NewJob
from app.db.models import Job
from app.db.moves import carry_out, moving
from app.domain.job import JobStatus, Lane
from app.domain.terms import Review

AHEAD: Final = 500  #: waiting jobs of each tenant that are looked at where one was a hit
NOTE: Final = "cached"  #: what a hit's history says


#: Whose picture it is must itself have been drawn: hits do not lead to hits. Who erases pictures
#: waits for the lock, or we for him, and then look again: the picture is there when we commit.
#:
#: OFFSET 0 keeps Postgres from beginning with all of a tenant's assets.
_DRAWN: Final = """
    SELECT drawn.id, drawn.output_digest, drawn.warnings FROM (
        SELECT id, output_digest, warnings FROM jobs
        WHERE tenant_id = wanted.tenant_id AND cache_key = wanted.cache_key
            AND status = 'succeeded' AND rendered_by IS NULL
        OFFSET 0
    ) AS drawn
    JOIN assets ON assets.tenant_id = wanted.tenant_id AND assets.digest = drawn.output_digest
        AND assets.erased_at IS NULL
    WHERE NOT (wanted.parameters ? 'renditions' AND EXISTS (
        SELECT FROM renditions JOIN assets AS gone USING (tenant_id, digest)
        WHERE renditions.job_id = drawn.id AND gone.erased_at IS NOT NULL))
    LIMIT 1 FOR KEY SHARE OF assets
"""

_HIT: Final = "SELECT wanted.id, drawn.id AS job_id, drawn.output_digest, drawn.warnings"
_ABOUT: Final = (
    ", wanted.review, wanted.campaign_id, wanted.style_version_id, wanted.parameters, wanted.usage"
)
_FROM: Final = f" FROM jobs AS wanted CROSS JOIN LATERAL ({_DRAWN}) AS drawn "
_FOUND: Final = _HIT + _ABOUT + _FROM


#: Those that just came and wait for nothing else.
_ACCEPTED: Final = """
WHERE wanted.id = ANY(:ids) AND wanted.status = 'queued' AND wanted.cache_key IS NOT NULL
ORDER BY wanted.id FOR UPDATE OF wanted
"""

#: What stands first in the queues of these tenants, less what somebody else is at.
_AHEAD: Final = f"""
WITH first AS (
    SELECT head.id FROM unnest(:tenants) AS tenant (id) CROSS JOIN LATERAL (
        SELECT jobs.id FROM jobs
        WHERE status = 'queued' AND NOT paused AND NOT unfunded AND lane = :its_lane
            AND tenant_id = tenant.id AND cache_key IS NOT NULL
            AND (deadline_at IS NULL OR deadline_at > now())
        ORDER BY priority DESC, jobs.id LIMIT :most
    ) AS head
)
{_FOUND}
WHERE wanted.id IN (SELECT id FROM first) AND wanted.status = 'queued'
ORDER BY wanted.id FOR UPDATE OF wanted SKIP LOCKED
"""  # noqa: S608 - all of it is ours

_KEYS: Final = (column("id", Uuid), column("job_id", Uuid), column("output_digest", String))
_MORE: Final = (
    column("warnings", JSONB),
    column("review", String),
    column("campaign_id", Uuid),
    column("style_version_id", Uuid),
    column("parameters", JSONB),
    column("usage", JSONB),
)
_IDS: Final = bindparam("ids", type_=ARRAY(Uuid))
_NEW = text(_FOUND + _ACCEPTED).bindparams(_IDS).columns(*_KEYS, *_MORE)
_CLAIMED = text(f"{_FOUND} WHERE wanted.id = ANY(:ids)").bindparams(_IDS).columns(*_KEYS, *_MORE)
_WAITING = text(_AHEAD).bindparams(bindparam("tenants", type_=ARRAY(Uuid))).columns(*_KEYS, *_MORE)

_ready = text(_HIT + _FROM + _ACCEPTED).bindparams(_IDS).columns(*_KEYS, _MORE[0]).cte("ready")
_hit = as_table(id=Uuid, job_id=Uuid, output=String, warnings=String)


def _ending(to: JobStatus, hits: Any, output: Any, warnings: Any) -> Select[Any]:
    """The statement by which hits end, or wait for a reviewer."""
    return moving(
        to,
        Job.id == hits.c.id,
        output_digest=output,
        rendered_by=hits.c.job_id,
        warnings=warnings,
        cost_micros=0,
        timings={},
        started_at=func.coalesce(Job.started_at, func.now()),
    )


#: Found and ended in one statement, where nobody need look at any.
_SETTLE = _ending(JobStatus.SUCCEEDED, _ready, _ready.c.output_digest, _ready.c.warnings)
_END = {
    to: _ending(to, _hit, _hit.c.output, cast(_hit.c.warnings, JSONB))
    for to in (JobStatus.SUCCEEDED, JobStatus.IN_REVIEW)
}


def settle(session: Session, ids: Sequence[UUID], *, singly: bool = False) -> int:
    """
    End those of these new jobs whose picture is there, for nothing; tells how many.

    `singly`: some of them are to be looked at by a rule, or have renditions.
    """
    if singly:
        return len(end(session, session.execute(_NEW, {"ids": list(ids)}).all()))
    return len(carry_out(session, JobStatus.SUCCEEDED, _SETTLE, note=NOTE, ids=list(ids)))


def found(session: Session, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Of these claimed jobs, those whose picture is there by now; looked at where `drawn`."""
    ids = [row.id for row in rows if row.drawn]
    return list(session.execute(_CLAIMED, {"ids": ids})) if ids else []


def ahead(
    session: Session, lane: Lane, tenants: Collection[UUID], *, most: int = AHEAD
) -> list[Row[Any]]:
    """
    Those among the next waiting jobs of these tenants whose picture is there, locked.

    For whoever has found one: where one is, there are many. One whose licence has lapsed stays for
    a claim, which refuses it.
    """
    given = {"tenants": list(tenants), "its_lane": lane.value, "most": most}
    hits = session.execute(_WAITING, given).all()
    lapsed = licences.lapsed(session, hits)
    return [hit for hit in hits if hit.id not in lapsed]


def end(session: Session, hits: Sequence[Row[Any]], *, by: str | None = None) -> list[Row[Any]]:
    """End these for nothing, or hand them to a reviewer; answers with the jobs that moved."""
    groups: defaultdict[JobStatus, list[Row[Any]]] = defaultdict(list)
    for hit in hits:
        groups[JobStatus.IN_REVIEW if _to_be_seen(hit) else JobStatus.SUCCEEDED].append(hit)
    if len(groups) > 1:
        campaigns.hold(session, {hit.campaign_id for hit in hits})
    rows = [
        row
        for to, group in groups.items()
        for row in carry_out(session, to, _END[to], by=by, note=NOTE, **_as_lists(group))
    ]
    moved = {row.id for row in rows}
    renditions.copy(
        session, {hit.id: hit.job_id for hit in hits if hit.id in moved and framed(hit)}
    )
    return rows


def framed(job: NewJob | Row[Any]) -> bool:
    """Whether there is more than the output to it."""
    return bool(job.parameters.get("renditions"))


def _to_be_seen(hit: Row[Any]) -> bool:
    return hit.review is not None and Review.parse(hit.review).wants(hit.id, hit.warnings)


def _as_lists(hits: Sequence[Row[Any]]) -> dict[str, Any]:
    return {
        "new_id": [hit.id for hit in hits],
        "new_job_id": [hit.job_id for hit in hits],
        "new_output": [hit.output_digest for hit in hits],
        "new_warnings": [json.dumps(hit.warnings) for hit in hits],
    }


def collided(error: IntegrityError) -> bool:
    """Whether a claim failed because somebody began to draw the same picture in that moment."""
    return getattr(error.orig.diag, "constraint_name", None) == "uq_jobs_drawing"  # type: ignore[union-attr]  # psycopg2's
