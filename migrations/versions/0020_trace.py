"""Which trace a job or a campaign belongs to.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("campaigns", "jobs"):
        op.add_column(table, sa.Column("traceparent", sa.String(length=55)))


def downgrade() -> None:
    for table in ("jobs", "campaigns"):
        op.drop_column(table, "traceparent")
