"""Presets, and several files of one drawing.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

STAYS = """
CREATE FUNCTION preset_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.retired_at IS NULL
        AND to_jsonb(NEW) - 'retired_at' = to_jsonb(OLD) - 'retired_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'versions of presets stay what they are' USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER preset_stays BEFORE UPDATE OR DELETE ON presets
FOR EACH ROW EXECUTE FUNCTION preset_stays();
"""


def upgrade() -> None:
    op.create_table(
        "presets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("template", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("version > 0", name=op.f("ck_presets_version_positive")),
        sa.CheckConstraint(
            "jsonb_array_length(template -> 'renditions') BETWEEN 1 AND 10",
            name=op.f("ck_presets_some_renditions"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_presets_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presets")),
        sa.UniqueConstraint(
            "tenant_id", "name", "version", name=op.f("uq_presets_tenant_id_name_version")
        ),
    )
    op.create_index("ix_presets_tenant_id_id", "presets", ["tenant_id", "id"])
    op.execute(STAYS)
    op.create_table(
        "renditions",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("manifest_label", sa.String()),
        sa.Column("manifest_digest", sa.String(length=64)),
        sa.Column("certificate_digest", sa.String(length=64)),
        sa.CheckConstraint(
            "num_nulls(manifest_label, manifest_digest, certificate_digest) IN (0, 3)",
            name=op.f("ck_renditions_signed_or_not"),
        ),
        sa.CheckConstraint("place >= 0", name=op.f("ck_renditions_place_counted")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_renditions_job_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "digest"], ["assets.tenant_id", "assets.digest"], name="asset"
        ),
        sa.PrimaryKeyConstraint("job_id", "name", name=op.f("pk_renditions")),
    )
    op.create_index("ix_renditions_tenant_id_digest", "renditions", ["tenant_id", "digest"])


def downgrade() -> None:
    op.drop_table("renditions")
    op.drop_table("presets")
    op.execute("DROP FUNCTION preset_stays()")
