"""What operators look at: lanes, workers, what is stuck, what died. Reads, now and then."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, String, Uuid, bindparam, text
from sqlalchemy.orm import Session

from app.db.paces import LIVE_SECONDS
from app.db.queue import LANE_GOES_ON, STYLE_GOES_ON
from app.metrics import SIZES

Rows = Sequence[Row[Any]]

PATIENT: Final = 60.0  #: seconds that anything may wait and be nobody's business
LATE: Final = 3.0  #: times what its lane needs for all that waits: who waits longer is stuck


def lanes(session: Session, *, styles: bool = False, sizes: bool = False) -> Rows:
    """
    What waits and runs, lane by lane, and by style or size of the output where asked for.

    `held` are those that no claim may take for their owners' reasons: paused, or without money.
    """
    kinds = ["style"] * styles + ["size"] * sizes
    names = "".join(f", {kind}" for kind in kinds)
    return session.execute(text(_LANES.replace(", KINDS", names))).all()


def workers(session: Session) -> Rows:
    """Who was heard of lately or still holds jobs; io workers report nothing, and only hold."""
    return session.execute(_WORKERS, {"seconds": LIVE_SECONDS}).all()


def stuck(session: Session, *, limit: int) -> Rows:
    """
    Jobs whose lease has run out, and those that wait much longer than their lane needs.

    A lane's need is the device time of all that waits in it, by the workers that are up. What
    its owner holds back, or an operator, is not stuck.
    """
    given = {"late": LATE, "patient": PATIENT, "seconds": LIVE_SECONDS, "most": limit}
    return session.execute(_STUCK, given).all()


def dead(session: Session, **which: Any) -> Rows:
    """Failed jobs, one row for each reason, lane and tenant; the keywords of `failed`."""
    return session.execute(_grouped, _given(which)).all()


def failed(session: Session, **which: Any) -> list[tuple[UUID | None, UUID, UUID]]:
    """
    Campaign, tenant and id of failed jobs, in the order of their campaigns and ids.

    Of one `tenant` (its id), `campaign`, `code` or `lane`, and of the last `hours`; None: of any.
    """
    rows = session.execute(_failed, _given(which)).all()
    return [(row.campaign_id, row.tenant_id, row.id) for row in rows]


def suspects(session: Session) -> Rows:
    """Pictures in quarantine, and jobs on their way to it: those that lost a worker."""
    return session.execute(_SUSPECTS).all()


def _given(which: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(("tenant", "campaign", "code", "lane", "hours")) | which


_SIZE: Final = "CASE " + " ".join(f"WHEN pixels <= {most} THEN '{name}'" for most, name in SIZES)

_LANES: Final = f"""
WITH work AS (
    SELECT jobs.*, slug || '@' || style_versions.version AS style, {_SIZE} ELSE 'huge' END AS size
    FROM jobs JOIN style_versions ON style_versions.id = style_version_id
    WHERE jobs.status IN ('queued', 'running')
), pace AS (
    SELECT lane, sum(device_ms) / nullif(sum(x), 0) AS ms_per_megapixel FROM paces GROUP BY lane
)
SELECT every.lane, KINDS,
    count(*) FILTER (WHERE work.status = 'queued') AS queued,
    count(*) FILTER (WHERE work.status = 'queued' AND (paused OR unfunded)) AS held,
    count(*) FILTER (WHERE work.status = 'running') AS running,
    coalesce(sum(pixels) FILTER (WHERE work.status = 'running' OR NOT (paused OR unfunded)), 0)
        / 1e6 * coalesce(max(ms_per_megapixel), 1200) / 1000 AS device_seconds,
    coalesce(extract(epoch FROM now() - min(work.created_at)
        FILTER (WHERE work.status = 'queued' AND NOT (paused OR unfunded))), 0) AS oldest_seconds
FROM unnest(ARRAY['interactive', 'campaign', 'fetch', 'solo', 'print', 'learn'])
    WITH ORDINALITY AS every(lane, place)
LEFT JOIN work ON work.lane = every.lane
LEFT JOIN pace ON pace.lane =
    CASE WHEN every.lane IN ('fetch', 'solo') THEN 'campaign' ELSE every.lane END
GROUP BY every.lane, every.place, KINDS ORDER BY every.place, KINDS
"""  # noqa: S608 - the words are ours

_WORKERS = text("""
WITH up AS (
    SELECT DISTINCT ON (worker) worker, host, device, engine, seen_at,
        seen_at > now() - make_interval(secs => :seconds) AS live
    FROM device_hours WHERE hour >= date_trunc('hour', now()) - interval '1 hour'
    ORDER BY worker, seen_at DESC
), holding AS (
    SELECT worker, count(*) AS held, min(lease_until) AS lease_until,
        string_agg(DISTINCT lane, ' ' ORDER BY lane) AS lanes
    FROM jobs WHERE status = 'running' GROUP BY worker
)
SELECT worker, coalesce(up.host, '') AS host, coalesce(up.device, '') AS device,
    coalesce(up.engine, '') AS engine, coalesce(holding.held, 0) AS held,
    coalesce(holding.lanes, '') AS lanes, coalesce(up.live, false) AS live,
    extract(epoch FROM now() - up.seen_at) AS silent_seconds,
    greatest(extract(epoch FROM now() - holding.lease_until), 0) AS late_seconds
FROM up FULL JOIN holding USING (worker) WHERE up.live OR holding.held > 0 ORDER BY worker
""")

_STUCK = text(f"""
WITH up AS (
    SELECT greatest(count(DISTINCT worker), 1) AS workers FROM device_hours
    WHERE seen_at > now() - make_interval(secs => :seconds)
), need AS (
    SELECT lane, device_seconds / workers AS seconds FROM backlog, up
)
SELECT 'late' AS why, id, tenant_id, lane, worker, attempt, failures, crashes, stage,
    extract(epoch FROM now() - created_at) AS age_seconds,
    extract(epoch FROM now() - lease_until) AS over_seconds
FROM jobs WHERE status = 'running' AND lease_until < now()
UNION ALL
SELECT 'waits', id, tenant_id, jobs.lane, NULL, attempt, failures, crashes, NULL,
    extract(epoch FROM now() - created_at),
    extract(epoch FROM now() - greatest(created_at, available_at)) - :late * need.seconds
FROM jobs JOIN need ON need.lane = jobs.lane
WHERE status = 'queued' AND NOT paused AND NOT unfunded
    AND {LANE_GOES_ON} AND {STYLE_GOES_ON}
    AND greatest(created_at, available_at)
        < now() - make_interval(secs => greatest(:patient, :late * need.seconds))
ORDER BY why, age_seconds DESC LIMIT :most
""")  # noqa: S608 - conditions of ours

_WHICH: Final = """
status = 'failed' AND (:tenant IS NULL OR tenant_id = :tenant)
    AND (:campaign IS NULL OR campaign_id = :campaign)
    AND (:code IS NULL OR error_code = :code) AND (:lane IS NULL OR lane = :lane)
    AND (:hours IS NULL OR finished_at > now() - make_interval(hours => :hours))
"""
_KINDS = (
    bindparam("tenant", type_=Uuid),
    bindparam("campaign", type_=Uuid),
    bindparam("code", type_=String),
    bindparam("lane", type_=String),
)

_grouped = text(f"""
SELECT tenants.name AS tenant, error_code, lane, count(*) AS jobs, max(attempt) AS most_attempts,
    max(finished_at) AS newest, (array_agg(jobs.id ORDER BY finished_at DESC))[1] AS example,
    (array_agg(error_detail ORDER BY finished_at DESC))[1] AS detail
FROM jobs JOIN tenants ON tenants.id = tenant_id WHERE {_WHICH}
GROUP BY tenants.name, error_code, lane ORDER BY jobs DESC, tenants.name, error_code, lane
""").bindparams(*_KINDS)  # noqa: S608

_failed = text(f"""
SELECT campaign_id, tenant_id, id FROM jobs WHERE {_WHICH} ORDER BY campaign_id, tenant_id, id
""").bindparams(*_KINDS)  # noqa: S608

_SUSPECTS = text("""
SELECT tenants.name AS tenant, coalesce(content_digest, split_part(source, '?', 1)) AS picture,
    CASE WHEN status = 'failed' THEN 'quarantined' ELSE 'suspected' END AS state,
    count(*) AS jobs, max(crashes) AS crashes, max(attempt) AS attempts,
    (array_agg(jobs.id ORDER BY jobs.id DESC))[1] AS example, max(finished_at) AS at
FROM jobs JOIN tenants ON tenants.id = tenant_id
WHERE (status = 'failed' AND error_code = 'quarantined')
    OR (status IN ('queued', 'running') AND (lane = 'solo' OR crashes > 0))
GROUP BY tenants.name, coalesce(content_digest, split_part(source, '?', 1)), state
ORDER BY state, at DESC NULLS LAST, picture LIMIT 1000
""")
