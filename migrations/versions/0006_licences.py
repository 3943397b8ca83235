"""Terms of style versions, their life after learning, and which pictures came from them.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE = ("learning", "draft", "active")
STATUSES = ("learning", "draft", "review", "active", "suspended", "retired")
MOVES = ("submit-for-review", "activate", "suspend", "reinstate", "retire", "withdraw")
TOLD = (
    *("job.started", "job.succeeded", "job.failed", "job.canceled", "job.expired"),
    *("job.rejected", "job.in_review", "job.reviewed", "campaign.budget", "campaign.completed"),
)
EXPIRING = "style.licence_expiring"

#: What was reviewed is what is used: only a draft may still change, and nothing becomes one again.
STYLE_STAYS = """
CREATE FUNCTION style_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ROW(NEW.id, NEW.slug, NEW.version, NEW.stylizer_digest, NEW.embedding, NEW.card,
           NEW.preview_digest, NEW.valid_until)
       IS DISTINCT FROM
       ROW(OLD.id, OLD.slug, OLD.version, OLD.stylizer_digest, OLD.embedding, OLD.card,
           OLD.preview_digest, OLD.valid_until) THEN
        RAISE EXCEPTION 'style version %@% is % and never changes', OLD.slug, OLD.version,
            OLD.status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('learning', 'draft') OR (OLD.status = 'retired' AND NEW.status <> 'retired')
       OR (OLD.withdrawn_at IS NOT NULL
           AND (NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at OR NEW.suspended_at IS NULL))
    THEN
        RAISE EXCEPTION 'style version %@% cannot go from % to %', OLD.slug, OLD.version,
            OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER style_version_stays BEFORE UPDATE ON style_versions FOR EACH ROW
WHEN (OLD.status NOT IN ('learning', 'draft')) EXECUTE FUNCTION style_version_stays();
"""


def upgrade() -> None:
    for name in ("valid_until", "suspended_at", "withdrawn_at"):
        op.add_column("style_versions", sa.Column(name, sa.DateTime(timezone=True)))
    _statuses(*STATUSES)
    op.create_check_constraint(
        op.f("ck_style_versions_suspended_says_when"),
        "style_versions",
        "suspended_at IS NOT NULL OR (status <> 'suspended' AND withdrawn_at IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_style_versions_active_is_not_suspended"),
        "style_versions",
        "status <> 'active' OR suspended_at IS NULL",
    )
    op.create_index(
        "ix_style_versions_valid_until",
        "style_versions",
        ["valid_until"],
        postgresql_where=sa.text("valid_until IS NOT NULL"),
    )
    _history()
    op.create_table(
        "style_notices",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["slug"], ["styles.slug"], name=op.f("fk_style_notices_slug")),
        sa.PrimaryKeyConstraint("slug", "version", "days", name=op.f("pk_style_notices")),
    )
    op.add_column("jobs", sa.Column("usage", postgresql.JSONB(astext_type=sa.Text())))
    there = "output_digest IS NOT NULL"
    _index("ix_jobs_style_outputs", ["style_version_id", "tenant_id", "id"], there)
    _index("ix_jobs_mixed_outputs", ["tenant_id", "id"], f"{there} AND parameters ? 'mix'")
    _events(*TOLD, EXPIRING)
    op.execute(STYLE_STAYS)


def downgrade() -> None:
    """What was in review is a draft again; suspended and retired ones too, so that none is used."""
    op.execute("DROP TRIGGER style_version_stays ON style_versions")
    op.execute("DROP FUNCTION style_version_stays()")
    op.execute("DELETE FROM events WHERE type = 'style.licence_expiring'")
    _events(*TOLD)
    for name in ("ix_jobs_mixed_outputs", "ix_jobs_style_outputs"):
        op.drop_index(name, table_name="jobs")
    op.drop_column("jobs", "usage")
    op.drop_table("style_notices")
    op.drop_table("style_history")
    op.drop_index("ix_style_versions_valid_until", table_name="style_versions")
    for name in ("suspended_says_when", "active_is_not_suspended"):
        op.drop_constraint(op.f(f"ck_style_versions_{name}"), "style_versions")
    op.execute(
        "UPDATE style_versions SET status = 'draft' WHERE status IN"
        " ('review', 'suspended', 'retired')"
    )
    _statuses(*BEFORE)
    for name in ("withdrawn_at", "suspended_at", "valid_until"):
        op.drop_column("style_versions", name)


def _history() -> None:
    def words(name: str, *values: str) -> sa.Enum:
        return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)

    op.create_table(
        "style_history",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("style_version_id", sa.Uuid(), nullable=False),
        sa.Column("move", words("move", *MOVES), nullable=False),
        sa.Column("status", words("status", *STATUSES), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["style_version_id"],
            ["style_versions.id"],
            name=op.f("fk_style_history_style_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_style_history")),
    )
    op.create_index(
        op.f("ix_style_history_style_version_id"), "style_history", ["style_version_id"]
    )


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "jobs", columns, postgresql_where=sa.text(where))


def _statuses(*names: str) -> None:
    op.drop_constraint(op.f("ck_style_versions_status"), "style_versions")
    op.create_check_constraint(
        op.f("ck_style_versions_status"), "style_versions", sa.column("status").in_(names)
    )


def _events(*names: str) -> None:
    op.drop_constraint(op.f("ck_events_type"), "events")
    op.create_check_constraint(op.f("ck_events_type"), "events", sa.column("type").in_(names))
