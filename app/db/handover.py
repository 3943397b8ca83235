"""What a report tells of a campaign, summed up by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, text
from sqlalchemy.orm import Session

from app.db.standings import ENDS_AT_SQL


@dataclass(frozen=True, slots=True)
class Reason:
    """Why jobs failed."""

    code: str
    jobs: int
    example: str | None  #: what the first of them said


@dataclass(frozen=True, slots=True)
class Duration:
    """Of one part of the way, over all finished jobs, in milliseconds."""

    name: str
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture before and after."""

    job_id: UUID
    custom_id: str | None
    content: str
    output: str


def reasons(session: Session, campaign_id: UUID) -> list[Reason]:
    """Failures by code, the most frequent first."""
    return [Reason(*row) for row in map(tuple, _run(session, _REASONS, campaign_id))]


def durations(session: Session, campaign_id: UUID) -> list[Duration]:
    """From acceptance to the end, and what of it was spent where; empty before anything ended."""
    return [
        Duration(row.name, float(row.p50), float(row.p95))
        for row in _run(session, _DURATIONS, campaign_id)
    ]


def styles(session: Session, campaign_id: UUID) -> Sequence[Row[Any]]:
    """Each style version in use, with `slug`, `version`, `title`, `card` and how many `jobs`."""
    return _run(session, _STYLES, campaign_id)


def pairs(session: Session, campaign_id: UUID, *, amount: int, pixels: int) -> list[Pair]:
    """Finished pictures of up to `pixels` each that may be shown, spread over the campaign."""
    rows = _run(session, _PAIRS, campaign_id, amount=amount, pixels=pixels)
    return [Pair(*row) for row in map(tuple, rows)]


def _run(session: Session, statement: Any, campaign_id: UUID, **given: Any) -> Sequence[Row[Any]]:
    rows: Sequence[Row[Any]] = session.execute(
        statement, {"campaign_id": campaign_id, **given}
    ).all()
    return rows


def _statement(sql: str) -> Any:
    return text(sql).bindparams(bindparam("campaign_id", type_=Uuid))


_REASONS = _statement("""
SELECT error_code, count(*), (array_agg(error_detail ORDER BY id))[1]
FROM jobs WHERE campaign_id = :campaign_id AND error_code IS NOT NULL
GROUP BY error_code ORDER BY count(*) DESC, error_code
""")

_DURATIONS = _statement("""
WITH done AS (
    SELECT extract(epoch FROM finished_at - created_at) * 1000 AS total,
        extract(epoch FROM finished_at - started_at) * 1000 AS worked, timings
    FROM jobs WHERE campaign_id = :campaign_id AND status = 'succeeded'
), part AS (
    SELECT 0 AS place, 'accepted to finished' AS name, total AS ms FROM done
    UNION ALL SELECT 1, 'claimed to finished', worked FROM done
    UNION ALL SELECT 2, stage.key, CAST(stage.value AS numeric)
    FROM done CROSS JOIN LATERAL jsonb_each_text(timings) AS stage
    WHERE stage.value ~ '^[0-9.]+$'
)
SELECT name, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95
FROM part WHERE ms IS NOT NULL GROUP BY place, name
ORDER BY place, p50 DESC
""")

#: A mix names its parts in its parameters; its own version is only the largest of them.
_STYLES = _statement("""
WITH done AS (
    SELECT style_version_id, parameters -> 'mix' AS mix FROM jobs
    WHERE campaign_id = :campaign_id AND status = 'succeeded'
), used AS (
    SELECT id, 1 AS jobs FROM done JOIN style_versions ON id = style_version_id
    WHERE mix IS NULL OR jsonb_typeof(mix) = 'null'
    UNION ALL
    SELECT style_versions.id, 1 FROM done
    CROSS JOIN LATERAL jsonb_object_keys(mix) AS part (pin)
    JOIN style_versions ON slug || '@' || version = part.pin
    WHERE jsonb_typeof(mix) = 'object'
)
SELECT style_versions.slug, style_versions.version, styles.title, style_versions.card,
    count(*) AS jobs
FROM used JOIN style_versions USING (id) JOIN styles USING (slug)
GROUP BY style_versions.id, styles.title ORDER BY jobs DESC, style_versions.slug
""")

_PAIRS = _statement(f"""
WITH done AS (
    SELECT jobs.id, custom_id, content_digest, output_digest,
        row_number() OVER (ORDER BY jobs.id) - 1 AS place, count(*) OVER () AS total
    FROM jobs JOIN style_versions ON style_versions.id = jobs.style_version_id
    JOIN assets AS content ON content.tenant_id = jobs.tenant_id AND content.digest = content_digest
    JOIN assets AS output ON output.tenant_id = jobs.tenant_id AND output.digest = output_digest
    WHERE campaign_id = :campaign_id AND jobs.status = 'succeeded'
        AND content.erased_at IS NULL AND output.erased_at IS NULL
        AND CAST(content.width AS bigint) * content.height <= :pixels
        AND CAST(output.width AS bigint) * output.height <= :pixels
        AND coalesce({ENDS_AT_SQL} > now(), true)
)
SELECT id, custom_id, content_digest, output_digest FROM done
WHERE place * :amount / total <> (place - 1) * :amount / total OR place = 0
ORDER BY place LIMIT :amount
""")  # noqa: S608 - a constant of ours
