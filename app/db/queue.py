"""Which jobs a claim takes: the queue, read from the table itself."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ScalarSelect,
    Select,
    String,
    Uuid,
    bindparam,
    column,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.db.models import Job
from app.domain.job import Lane

#: Subqueries of nothing outside: each is read once a statement, and empty as a rule.
LANE_GOES_ON: Final = "NOT EXISTS (SELECT FROM halts WHERE kind = 'lane' AND target = jobs.lane)"
STYLE_GOES_ON: Final = """jobs.style_version_id
            <> ALL (ARRAY(SELECT unnest(versions) FROM halts WHERE kind = 'style'))
          AND NOT (EXISTS (SELECT FROM halts WHERE kind = 'style') AND coalesce(jsonb_exists_any(
            jobs.parameters -> 'mix',
            ARRAY(SELECT unnest(pins) FROM halts WHERE kind = 'style')), false))"""

#: Each tenant's most urgent and oldest first; between tenants, whose has had fewest pixels by then,
#: those included that it is ahead by. A job starts where its tenant's last one ended. The recursion
#: hops from tenant to tenant along the partial index, so that a tenant with 50,000 waiting jobs
#: costs one hop, and one with 50,000 paused jobs none. Of equal pictures one is drawn, the others
#: wait; without OFFSET 0 the planner joins instead of probing, and reads all that a tenant has
#: running for each job that it looks at.
_CLAIMABLE = """
WITH RECURSIVE waiting_tenant AS (
    (SELECT tenant_id FROM jobs
     WHERE status = 'queued' AND NOT paused AND NOT unfunded AND lane = :its_lane
       AND NOT EXISTS (SELECT FROM halts WHERE (kind = 'lane' AND target = :its_lane)
         OR (kind = 'worker' AND target = ANY (:its_names)))
     ORDER BY tenant_id LIMIT 1)
  UNION ALL
    SELECT (SELECT jobs.tenant_id FROM jobs
            WHERE status = 'queued' AND NOT paused AND NOT unfunded AND lane = :its_lane
              AND jobs.tenant_id > last.tenant_id
            ORDER BY jobs.tenant_id LIMIT 1)
    FROM waiting_tenant AS last WHERE last.tenant_id IS NOT NULL
), candidate AS (
    SELECT first.id, first.pixels, first.tenant_id, first.priority, first.cache_key,
        coalesce(known.pixels_ahead, 0) AS ahead
    FROM waiting_tenant
    LEFT JOIN unnest(CAST(:tenants_ahead AS uuid[]), CAST(:pixels_ahead AS bigint[]))
        AS known (tenant_id, pixels_ahead) USING (tenant_id)
    CROSS JOIN LATERAL (
        SELECT id, pixels, jobs.tenant_id, priority, cache_key FROM jobs
        WHERE status = 'queued' AND NOT paused AND NOT unfunded AND lane = :its_lane
          AND jobs.tenant_id = waiting_tenant.tenant_id
          AND available_at <= now() AND crashes <= :most_crashes AND pixels <= :most_each
          AND (deadline_at IS NULL OR deadline_at > now())
          AND STYLE_GOES_ON AND NOT EXISTS (
            SELECT FROM jobs AS drawing WHERE drawing.status = 'running'
              AND drawing.tenant_id = jobs.tenant_id AND drawing.cache_key = jobs.cache_key
            OFFSET 0)
        ORDER BY priority DESC, id LIMIT :most_jobs FOR UPDATE SKIP LOCKED
    ) AS first
), turn AS (
    SELECT id, pixels, ahead - greatest(pixels, 1) + sum(greatest(pixels, 1)) OVER (
            PARTITION BY tenant_id ORDER BY priority DESC, id ROWS UNBOUNDED PRECEDING
        ) AS starts
    FROM (
        SELECT *, row_number() OVER (
            PARTITION BY tenant_id, cache_key ORDER BY priority DESC, id) AS copy
        FROM candidate
    ) AS single WHERE copy = 1 OR cache_key IS NULL
), place AS (
    SELECT id, pixels, row_number() OVER w AS place, sum(pixels) OVER w - pixels AS before
    FROM turn WINDOW w AS (ORDER BY starts, id ROWS UNBOUNDED PRECEDING)
)
SELECT id FROM place WHERE place <= :most_jobs AND before < :most_pixels
  AND (place = 1 OR pixels <= :most_pixels)
""".replace("STYLE_GOES_ON", STYLE_GOES_ON)

#: Of a claimed job, whether its picture may be there by now: one probe of an index.
DRAWN: Final = literal_column(
    """
EXISTS (SELECT FROM jobs AS drawn
    WHERE drawn.tenant_id = jobs.tenant_id AND drawn.cache_key = jobs.cache_key
        AND drawn.status = 'succeeded' AND drawn.rendered_by IS NULL)
""",
    Boolean,
).label("drawn")


def claimable() -> Select[tuple[object]]:
    """
    Ids of up to `most_jobs` of `its_lane`, locked; fewer when they exceed `most_pixels` in all.

    Only jobs that killed at most `most_crashes` workers since they are suspected, and of at most
    `most_each` pixels. One that exceeds `most_pixels` by itself comes alone: nobody waits for it
    in its group. `tenants_ahead` have had `pixels_ahead` more than others, whose turn comes first.
    None where an operator halted the lane or one of `its_names`, which are the worker's, and none
    of a halted style. All are given at execution, and not called like columns: SQLAlchemy would
    set those.
    """
    chosen = text(_CLAIMABLE).bindparams(
        bindparam("its_lane", type_=String),
        bindparam("its_names", type_=ARRAY(String)),
        bindparam("tenants_ahead", type_=ARRAY(Uuid)),
        bindparam("pixels_ahead", type_=ARRAY(BigInteger)),
    )
    return select(chosen.columns(column("id", Uuid)).cte("chosen").c.id)


def waiting_lanes(session: Session) -> list[Lane]:
    """The lanes in which a job could be claimed now; one index probe each."""
    return [lane for lane in Lane if waits(session, lane)]


def waits(session: Session, lane: Lane) -> bool:
    """Whether a job of that lane could be claimed now; one index probe."""
    return bool(session.scalar(select(_waits(lane))))


def _waits(lane: Lane) -> ScalarSelect[bool]:
    ready = select(Job.id).where(
        text("status = 'queued' AND NOT paused AND NOT unfunded"),
        text(LANE_GOES_ON),
        text(STYLE_GOES_ON),
        Job.lane == lane,
        Job.available_at <= func.now(),
    )
    return select(ready.limit(1).exists()).scalar_subquery()
