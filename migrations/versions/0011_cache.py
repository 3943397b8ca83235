"""Equal pictures of a tenant are drawn once.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("cache_key", sa.String(length=64)))
    op.add_column("jobs", sa.Column("rendered_by", sa.Uuid()))
    op.create_check_constraint(
        op.f("ck_jobs_hit_iff_made"),
        "jobs",
        "rendered_by IS NULL OR status IN ('in_review', 'succeeded', 'rejected')",
    )
    op.create_index(
        "uq_jobs_drawing",
        "jobs",
        ["tenant_id", "cache_key"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_jobs_drawn",
        "jobs",
        ["tenant_id", "cache_key"],
        postgresql_where=sa.text("status = 'succeeded' AND rendered_by IS NULL"),
    )
    op.add_column(
        "campaigns", sa.Column("cached", sa.Integer(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("campaigns", "cached")
    op.drop_index("ix_jobs_drawn", table_name="jobs")
    op.drop_index("uq_jobs_drawing", table_name="jobs")
    op.drop_constraint(op.f("ck_jobs_hit_iff_made"), "jobs")
    op.drop_column("jobs", "rendered_by")
    op.drop_column("jobs", "cache_key")
