"""
Pictures that were drawn before: equal render keys of one tenant are drawn once.

Within one tenant only. Between tenants a hit would tell that somebody else has the same picture,
by its price and by its speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Row, String, Uuid, bindparam, column, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import renditions
from app.db.models import Job
from app.db.moves import carry_out, moving
from app.domain.job import JobStatus


@dataclass(frozen=True, slots=True)
class Known:
    """A picture that is there, and the job that drew it."""

    job_id: UUID
    output_digest: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much of a tenant's finished work was there already."""

    succeeded: int
    hits: int


#: Whose picture it is must itself have been drawn: hits do not lead to hits.
_DRAWN: Final = """
    SELECT drawn.id, drawn.output_digest, drawn.warnings FROM jobs AS drawn
    JOIN assets ON assets.tenant_id = drawn.tenant_id AND assets.digest = drawn.output_digest
        AND assets.erased_at IS NULL
    WHERE drawn.tenant_id = wanted.tenant_id AND drawn.cache_key = wanted.cache_key
        AND drawn.status = 'succeeded' AND drawn.rendered_by IS NULL
        AND NOT (drawn.parameters ? 'renditions' AND EXISTS (
            SELECT FROM renditions JOIN assets AS gone USING (tenant_id, digest)
            WHERE renditions.job_id = drawn.id AND gone.erased_at IS NOT NULL))
    LIMIT 1
"""

_FOUND: Final = f"""
    SELECT wanted.id, drawn.id AS job_id, drawn.output_digest, drawn.warnings
    FROM jobs AS wanted CROSS JOIN LATERAL ({_DRAWN}) AS drawn
"""  # noqa: S608 - both parts are ours

_KNOWN = (
    text(f"{_FOUND} WHERE wanted.id = ANY(:ids)")
    .bindparams(bindparam("ids", type_=ARRAY(Uuid)))
    .columns(id=Uuid, job_id=Uuid, output_digest=String, warnings=JSONB)
)

#: Jobs that just came and wait for nothing else; those that a person must see go the long way.
_READY = (
    text(f"""{_FOUND}
WHERE wanted.id = ANY(:ids) AND wanted.status = 'queued'
    AND wanted.review IS NULL AND wanted.cache_key IS NOT NULL
ORDER BY wanted.id FOR UPDATE OF wanted
""")
    .bindparams(bindparam("ids", type_=ARRAY(Uuid)))
    .columns(
        column("id", Uuid),
        column("job_id", Uuid),
        column("output_digest", String),
        column("warnings", JSONB),
    )
    .cte("ready")
)

_SETTLE = moving(
    JobStatus.SUCCEEDED,
    Job.id == _READY.c.id,
    output_digest=_READY.c.output_digest,
    rendered_by=_READY.c.job_id,
    warnings=_READY.c.warnings,
    cost_micros=0,
    timings={},
    started_at=func.now(),
)


def known(session: Session, rows: Sequence[Row[Any]]) -> dict[UUID, Known]:
    """Of these claimed jobs, those whose picture is there by now; one statement for the group."""
    ids = [row.id for row in rows if row.cache_key is not None]
    if not ids:
        return {}
    found = session.execute(_KNOWN, {"ids": ids})
    return {row.id: Known(row.job_id, row.output_digest, row.warnings) for row in found}


def collided(error: IntegrityError) -> bool:
    """Whether a claim failed because somebody began to draw the same picture in that moment."""
    return getattr(error.orig.diag, "constraint_name", None) == "uq_jobs_drawing"  # type: ignore[union-attr]  # psycopg2's


def settle(session: Session, ids: Sequence[UUID]) -> int:
    """End those of these waiting jobs whose picture is there, for nothing; tells how many."""
    rows = carry_out(session, JobStatus.SUCCEEDED, _SETTLE, note="cached", ids=list(ids))
    renditions.copy_hits(session, rows)
    return len(rows)


def ratio(session: Session, tenant_id: UUID, *, days: int) -> Ratio:
    """Over the last so many days."""
    row = session.execute(_RATIO, {"tenant_id": tenant_id, "days": days}).one()
    return Ratio(row.succeeded, row.hits)


_RATIO = text("""
SELECT count(*) AS succeeded, count(rendered_by) AS hits FROM jobs
WHERE tenant_id = :tenant_id AND status = 'succeeded'
    AND finished_at > now() - make_interval(days => :days)
""").bindparams(bindparam("tenant_id", type_=Uuid))
