"""Manifests: which of their lines could not be used, and why.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "campaigns", sa.Column("refused", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_table(
        "manifest_errors",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("custom_id", sa.String(length=255), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name=op.f("fk_manifest_errors_campaign_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "line", name=op.f("pk_manifest_errors")),
    )


def downgrade() -> None:
    op.drop_table("manifest_errors")
    op.drop_column("campaigns", "refused")
