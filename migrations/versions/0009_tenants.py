"""Scopes and rotation of keys, quotas, the audit log, erasure and retention.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
DIGEST = sa.String(length=64)
NOW = sa.text("now()")
SCOPES = "scopes <@ ARRAY['read', 'submit', 'review', 'admin']::varchar[]"

#: What was written stays, also when it is a hand in psql that would rather it did not.
AUDIT_STAYS = """
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only appended to' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit_log
FOR EACH ROW EXECUTE FUNCTION audit_stays();
CREATE TRIGGER audit_stays_whole BEFORE TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
"""

#: A finished job may be blanked, once, and nothing else: what it was and what came of it stays.
ERASED_ONLY_BLANKS = """
DROP TRIGGER final_stays ON jobs;
CREATE TRIGGER final_stays BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (OLD.finished_at IS NOT NULL AND NOT (
    OLD.status IN ('failed', 'expired') AND NEW.status = 'queued' AND NEW.round = OLD.round + 1
    AND OLD.erased_at IS NULL
) AND (NEW.erased_at IS NULL OR OLD.erased_at IS NOT NULL))
EXECUTE FUNCTION final_stays();
CREATE FUNCTION erased_only_blanks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    blanked text[] :=
        '{source,metadata,custom_id,webhook,error_detail,verdict,erased_at,version}';
BEGIN
    IF to_jsonb(NEW) - blanked <> to_jsonb(OLD) - blanked OR NEW.source <> ''
        OR NEW.metadata <> '{}' OR num_nonnulls(NEW.custom_id, NEW.webhook, NEW.error_detail) > 0
        OR NEW.verdict IS DISTINCT FROM OLD.verdict - 'note'
    THEN
        RAISE EXCEPTION 'job % is % and final', OLD.id, OLD.status
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER erased_only_blanks BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL)
EXECUTE FUNCTION erased_only_blanks();
"""

FINAL_STAYS = """
DROP TRIGGER erased_only_blanks ON jobs;
DROP FUNCTION erased_only_blanks;
DROP TRIGGER final_stays ON jobs;
CREATE TRIGGER final_stays BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (OLD.finished_at IS NOT NULL AND NOT (
    OLD.status IN ('failed', 'expired') AND NEW.status = 'queued' AND NEW.round = OLD.round + 1
)) EXECUTE FUNCTION final_stays();
"""


def upgrade() -> None:
    _keys()
    for name in ("quotas", "retention"):
        nothing = sa.Column(
            name, postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False
        )
        op.add_column("tenants", nothing)
    op.add_column("tenants", sa.Column("retained_at", MOMENT))
    _audit()
    _erasures()
    op.add_column("assets", sa.Column("erased_at", MOMENT))
    op.add_column("jobs", sa.Column("erased_at", MOMENT))
    _indexes()
    op.execute(ERASED_ONLY_BLANKS)


def downgrade() -> None:
    """Keys that were narrow may do everything again; what was erased stays so."""
    op.execute(FINAL_STAYS)
    for name in ("ix_jobs_masked", "ix_jobs_paused", "ix_jobs_content"):
        op.drop_index(name, table_name="jobs")
    op.drop_column("jobs", "erased_at")
    op.drop_column("assets", "erased_at")
    op.drop_table("erased_pictures")
    op.drop_table("erasures")
    op.drop_table("audit_log")
    op.drop_table("audit_heads")
    op.execute("DROP FUNCTION audit_stays")
    for name in ("retained_at", "retention", "quotas"):
        op.drop_column("tenants", name)
    op.drop_constraint(op.f("uq_api_keys_prefix"), "api_keys")
    op.drop_constraint(op.f("ck_api_keys_scopes_known"), "api_keys")
    # What has expired must not open anything again.
    op.execute("UPDATE api_keys SET revoked_at = expires_at WHERE expires_at <= now()")
    for name in ("used_at", "expires_at", "scopes"):
        op.drop_column("api_keys", name)


def _keys() -> None:
    """Keys that are there hand work in and look at it, as they always did."""
    words = sa.ARRAY(sa.String(16))
    op.add_column("api_keys", sa.Column("scopes", words, server_default="{submit,read}"))
    op.alter_column("api_keys", "scopes", nullable=False, server_default=None)
    op.add_column("api_keys", sa.Column("expires_at", MOMENT))
    op.add_column("api_keys", sa.Column("used_at", MOMENT))
    op.create_check_constraint(op.f("ck_api_keys_scopes_known"), "api_keys", SCOPES)
    op.create_unique_constraint(op.f("uq_api_keys_prefix"), "api_keys", ["prefix"])


def _audit() -> None:
    op.create_table(
        "audit_log",
        sa.Column("chain", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("details_digest", DIGEST, nullable=False),
        sa.Column("previous", DIGEST, nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_audit_log_sequence_positive")),
        sa.PrimaryKeyConstraint("chain", "sequence", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_heads")),
    )
    op.execute(AUDIT_STAYS)


def _erasures() -> None:
    counts = ("canceled", "jobs", "pictures", "kept")
    kinds = sa.Enum(
        *("asset", "job", "campaign", "all"),
        name="kind",
        native_enum=False,
        create_constraint=True,
        length=24,
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("kind", kinds, nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in counts),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "jobs >= 0 AND pictures >= 0 AND bytes >= 0",
            name=op.f("ck_erasures_counts_not_negative"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_erasures_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "uq_erasures_open",
        "erasures",
        ["tenant_id", "kind", "target"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index("ix_erasures_tenant_id_id", "erasures", ["tenant_id", "id"])
    op.create_table(
        "erased_pictures",
        sa.Column("erasure_id", sa.Uuid(), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], name=op.f("fk_erased_pictures_erasure_id")
        ),
        sa.PrimaryKeyConstraint("erasure_id", "digest", name=op.f("pk_erased_pictures")),
    )


def _indexes() -> None:
    """Partial ones, so that a job costs each of them one entry in its life."""
    wanted = {
        "ix_jobs_content": ("jobs", ["tenant_id", "content_digest"], "finished_at IS NOT NULL"),
        "ix_jobs_paused": ("jobs", ["tenant_id", "id"], "status = 'queued' AND paused"),
        "ix_jobs_masked": ("jobs", ["tenant_id", "id"], "parameters ? 'mask'"),
    }
    for name, (table, columns, where) in wanted.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(where))
