"""What waits and runs, lane by lane, in device-seconds: what a fleet is scaled by.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    CREATE VIEW backlog AS
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
    GROUP BY jobs.lane
    """)


def downgrade() -> None:
    op.execute("DROP VIEW backlog")
