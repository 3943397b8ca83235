"""What a tenant has waiting is counted quickly: its open campaigns, and its single jobs.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_campaigns_open",
        "campaigns",
        ["tenant_id"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_single_waiting",
        "jobs",
        ["tenant_id"],
        postgresql_where=sa.text("campaign_id IS NULL AND status IN ('queued', 'running')"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_single_waiting", table_name="jobs")
    op.drop_index("ix_campaigns_open", table_name="campaigns")
