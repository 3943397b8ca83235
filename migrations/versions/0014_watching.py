"""What watchers are told carries the number that webhooks give it; running jobs are counted fast.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_history", sa.Column("version", sa.Integer()))
    op.add_column("campaigns", sa.Column("finished_version", sa.Integer()))
    op.create_check_constraint(
        op.f("ck_campaigns_finished_version_in_time"),
        "campaigns",
        "finished_version IS NULL OR (finished_at IS NOT NULL AND finished_version <= version)",
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["campaign_id"],
        postgresql_where=sa.text("status = 'running' AND campaign_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_running", table_name="jobs")
    op.drop_constraint(op.f("ck_campaigns_finished_version_in_time"), "campaigns")
    op.drop_column("campaigns", "finished_version")
    op.drop_column("job_history", "version")
