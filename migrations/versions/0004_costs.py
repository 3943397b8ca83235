"""Costs in parts, cards that stay, tags, who submitted, and what devices did all day.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: History is not recomputed, by no bug of ours and by no hand in psql.
STAYS = """
CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER ledger_stays BEFORE UPDATE OR DELETE ON ledger
FOR EACH ROW EXECUTE FUNCTION stays();
CREATE TRIGGER rate_cards_stay BEFORE UPDATE OR DELETE ON rate_cards
FOR EACH ROW EXECUTE FUNCTION stays();
"""

#: Fires only for statements that name the columns: moves and counts do not pay for it.
TAGS_STAY = """
CREATE FUNCTION tags_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tags and principal of % % stay as they were submitted', TG_TABLE_NAME, OLD.id
    USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER tags_stay BEFORE UPDATE OF tags, principal ON jobs FOR EACH ROW
WHEN ((OLD.tags, OLD.principal) IS DISTINCT FROM (NEW.tags, NEW.principal))
EXECUTE FUNCTION tags_stay();
CREATE TRIGGER tags_stay BEFORE UPDATE OF tags, principal ON campaigns FOR EACH ROW
WHEN ((OLD.tags, OLD.principal) IS DISTINCT FROM (NEW.tags, NEW.principal))
EXECUTE FUNCTION tags_stay();
"""


def upgrade() -> None:
    for name, kind in (
        ("device_ms", sa.Double()),
        ("cpu_ms", sa.Double()),
        ("stored_bytes", sa.BigInteger()),
        ("signatures", sa.SmallInteger()),
    ):
        op.add_column("ledger", sa.Column(name, kind))
    for table in ("campaigns", "jobs"):
        tags = postgresql.JSONB(astext_type=sa.Text())
        op.add_column(table, sa.Column("tags", tags, server_default="{}", nullable=False))
        op.add_column(table, sa.Column("principal", sa.String(length=16)))
    op.create_table(
        "rate_cards",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("prices", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rate_cards")),
    )
    _paces()
    _device_hours()
    op.create_table(
        "tag_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.String())),
        sa.Column("required", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tag_rules_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_tag_rules")),
    )
    op.execute(STAYS)
    op.execute(TAGS_STAY)


def downgrade() -> None:
    for table in ("jobs", "campaigns"):
        op.execute(f"DROP TRIGGER tags_stay ON {table}")
    op.execute("DROP FUNCTION tags_stay")
    op.execute("DROP TRIGGER ledger_stays ON ledger")
    for table in ("tag_rules", "device_hours", "paces", "rate_cards"):
        op.drop_table(table)
    op.execute("DROP FUNCTION stays")
    for table in ("jobs", "campaigns"):
        op.drop_column(table, "principal")
        op.drop_column(table, "tags")
    for name in ("signatures", "stored_bytes", "cpu_ms", "device_ms"):
        op.drop_column("ledger", name)


def _paces() -> None:
    sums = ("pictures", "x", "xx", "device_ms", "x_device_ms", "cpu_ms", "x_cpu_ms")
    op.create_table(
        "paces",
        sa.Column("lane", sa.String(length=24), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("tiled", sa.Boolean(), nullable=False),
        *(
            sa.Column(name, sa.Double(), nullable=False)
            for name in (*sums, "stored_bytes", "signatures", "busy_ms")
        ),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("lane", "engine", "device", "tiled", name=op.f("pk_paces")),
    )


def _device_hours() -> None:
    op.create_table(
        "device_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("host", "device", "engine")),
        sa.Column("up_ms", sa.Double(), nullable=False),
        sa.Column("used_ms", sa.Double(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        _now("seen_at"),
        sa.PrimaryKeyConstraint("hour", "worker", name=op.f("pk_device_hours")),
    )
    op.create_index(op.f("ix_device_hours_seen_at"), "device_hours", ["seen_at"])


def _now(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
