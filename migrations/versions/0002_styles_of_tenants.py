"""Styles that tenants have learned, and the lanes of work that takes minutes.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LANES = ("interactive", "campaign", "fetch", "solo")
SLOW = ("print", "learn")
STATUSES = ("learning", "draft", "active")
WHOSE = (
    "CASE WHEN tenant_id IS NULL THEN strpos(slug, '/') = 0"
    " ELSE starts_with(slug, tenant_id || '/') END"
)


def upgrade() -> None:
    op.add_column("styles", sa.Column("tenant_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_styles_tenant_id"), "styles", "tenants", ["tenant_id"], ["id"])
    op.create_index(op.f("ix_styles_tenant_id"), "styles", ["tenant_id"])
    op.create_check_constraint(op.f("ck_styles_slug_says_whose"), "styles", WHOSE)
    _versions()
    op.create_table(
        "style_pictures",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_style_pictures")),
    )
    _lanes(*LANES, *SLOW)
    op.create_index(
        "uq_jobs_learning",
        "jobs",
        ["style_version_id"],
        unique=True,
        postgresql_where=sa.text("lane = 'learn'"),
    )


def downgrade() -> None:
    """Prints become plain work, finished ones too; styles that were being learned go."""
    op.execute("ALTER TABLE jobs DISABLE TRIGGER final_stays")
    op.execute(
        "UPDATE jobs SET lane = 'campaign', parameters = parameters - 'quality'"
        " WHERE lane = 'print' OR parameters ? 'quality'"
    )
    op.execute("ALTER TABLE jobs ENABLE TRIGGER final_stays")
    op.execute("DELETE FROM jobs WHERE lane = 'learn'")
    op.drop_index("uq_jobs_learning", table_name="jobs")
    _lanes(*LANES)
    op.drop_table("style_pictures")
    op.drop_constraint(op.f("ck_style_versions_embedding_iff_learned"), "style_versions")
    op.execute("DELETE FROM style_versions WHERE embedding IS NULL")
    op.drop_column("style_versions", "preview_digest")
    op.drop_column("style_versions", "status")
    op.alter_column("style_versions", "embedding", nullable=False)
    op.drop_constraint(op.f("ck_styles_slug_says_whose"), "styles")
    op.drop_index(op.f("ix_styles_tenant_id"), table_name="styles")
    op.drop_column("styles", "tenant_id")


def _versions() -> None:
    status = sa.Enum(*STATUSES, name="status", native_enum=False, length=24)
    op.add_column("style_versions", sa.Column("status", status, server_default="active"))
    op.alter_column("style_versions", "status", nullable=False, server_default=None)
    op.create_check_constraint(
        op.f("ck_style_versions_status"), "style_versions", sa.column("status").in_(STATUSES)
    )
    op.alter_column("style_versions", "embedding", nullable=True)
    op.add_column("style_versions", sa.Column("preview_digest", sa.String(length=64)))
    op.create_check_constraint(
        op.f("ck_style_versions_embedding_iff_learned"),
        "style_versions",
        "(embedding IS NULL) = (status = 'learning')",
    )


def _lanes(*names: str) -> None:
    op.drop_constraint(op.f("ck_jobs_lane"), "jobs")
    op.create_check_constraint(op.f("ck_jobs_lane"), "jobs", sa.column("lane").in_(names))
