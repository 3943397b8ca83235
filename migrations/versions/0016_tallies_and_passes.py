"""What tenants got is kept in sums; how far the store has been looked through.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("cached", sa.Integer(), nullable=False),
        sa.Column("folded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tallies")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tallies_tenant_id")),
        sa.CheckConstraint("cached BETWEEN 0 AND succeeded", name=op.f("ck_tallies_some_of_all")),
    )
    op.create_index("ix_tallies_tenant_id_day", "tallies", ["tenant_id", "day"])
    op.create_index(
        "uq_tallies_day",
        "tallies",
        ["tenant_id", "day"],
        unique=True,
        postgresql_where=sa.text("folded"),
    )
    op.create_index("ix_tallies_loose", "tallies", ["id"], postgresql_where=sa.text("NOT folded"))
    op.execute(
        "INSERT INTO tallies (tenant_id, day, succeeded, cached, folded)"
        " SELECT tenant_id, CAST(finished_at AT TIME ZONE 'UTC' AS date), count(*),"
        " count(rendered_by), true"
        " FROM jobs WHERE status = 'succeeded' GROUP BY 1, 2"
    )
    op.create_table(
        "store_passes",
        sa.Column("id", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("after", sa.String(), server_default="", nullable=False),
        sa.Column(
            "began_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("orphans", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_passes")),
        sa.CheckConstraint("id = 1", name=op.f("ck_store_passes_only_one")),
    )
    op.execute("INSERT INTO store_passes DEFAULT VALUES")


def downgrade() -> None:
    op.drop_table("store_passes")
    op.drop_table("tallies")
