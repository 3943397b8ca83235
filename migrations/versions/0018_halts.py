"""What operators have told to take no work: workers, lanes, styles.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

#: What waits in a lane or for a style that is halted wants no machine.
HALTED = """
    AND NOT (status = 'queued' AND (
        EXISTS (SELECT FROM halts WHERE kind = 'lane' AND target = jobs.lane)
        OR jobs.style_version_id
            = ANY (ARRAY(SELECT unnest(versions) FROM halts WHERE kind = 'style'))
        OR (EXISTS (SELECT FROM halts WHERE kind = 'style') AND coalesce(jsonb_exists_any(
            jobs.parameters -> 'mix',
            ARRAY(SELECT unnest(pins) FROM halts WHERE kind = 'style')), false))))
"""


_BACKLOG = """
CREATE OR REPLACE VIEW backlog AS
SELECT jobs.lane, jobs.lane NOT IN ('fetch', 'print', 'learn') AS stylizing,
    count(*) FILTER (WHERE status = 'queued') AS queued,
    count(*) FILTER (WHERE status = 'running') AS running,
    sum(pixels) / 1e6 * coalesce(max(pace.ms_per_megapixel), 1200) / 1000 AS device_seconds,
    coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'queued')), 0)
        AS oldest_seconds
FROM jobs LEFT JOIN (
    SELECT lane, sum(device_ms) / nullif(sum(x), 0) AS ms_per_megapixel
    FROM paces GROUP BY lane
) AS pace ON pace.lane = CASE
    WHEN jobs.lane IN ('fetch', 'solo') THEN 'campaign' ELSE jobs.lane END
WHERE status IN ('queued', 'running') AND NOT paused AND NOT unfunded
"""


def upgrade() -> None:
    op.create_table(
        "halts",
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("versions", ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("pins", ARRAY(sa.String()), server_default="{}", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "target", name=op.f("pk_halts")),
        sa.CheckConstraint("kind IN ('worker', 'lane', 'style')", name=op.f("ck_halts_kind")),
        sa.CheckConstraint(
            "(kind = 'style') = (cardinality(versions) > 0 AND cardinality(pins) > 0)",
            name=op.f("ck_halts_style_has_versions"),
        ),
    )
    _view(HALTED)


def downgrade() -> None:
    _view("")
    op.drop_table("halts")


def _view(condition: str) -> None:
    op.execute(_BACKLOG + condition + " GROUP BY jobs.lane")
