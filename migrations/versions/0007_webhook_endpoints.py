"""Webhook endpoints, every attempt of a delivery, and circuits of receivers that do not answer.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BEFORE = (
    *("job.started", "job.succeeded", "job.failed", "job.canceled", "job.expired"),
    *("job.rejected", "job.in_review", "job.reviewed", "campaign.budget", "campaign.completed"),
    "style.licence_expiring",
)
NEW_EVENTS = ("campaign.progress", "endpoint.test", "endpoint.disabled")
BECAUSE = ("asked", "gone", "failing", "deleted")
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)
PENDING = sa.text("state = 'pending'")
OF_CAMPAIGN = "job_id IS NULL"

#: One receiver per tenant and host; nothing else depends on how these old ones are called.
RECEIVERS = r"""
UPDATE deliveries SET tenant_id = events.tenant_id, created_at = events.created_at,
    receiver_id = CAST(md5(events.tenant_id || substring(url FROM '^[a-z]+://[^/?#]*')) AS uuid)
FROM events WHERE events.id = event_id
"""
ATTEMPTS = """
INSERT INTO delivery_attempts (delivery_id, at, response_status, response_excerpt, error)
SELECT id, attempted_at, response_status, response_excerpt, error
FROM deliveries WHERE attempted_at IS NOT NULL
"""
LAST_EXCERPTS = """
UPDATE deliveries SET response_excerpt = last.response_excerpt FROM (
    SELECT DISTINCT ON (delivery_id) delivery_id, response_excerpt
    FROM delivery_attempts ORDER BY delivery_id, id DESC) AS last
WHERE last.delivery_id = deliveries.id
"""


def upgrade() -> None:
    _endpoints()
    _attempts()
    _deliveries()
    _events(*BEFORE, *NEW_EVENTS)
    _one_completion(f"{OF_CAMPAIGN} AND type <> 'campaign.progress'")
    op.create_index(
        "uq_events_job_id_sequence",
        "events",
        ["job_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
    op.create_index("ix_events_campaign_id", "events", ["campaign_id"])
    op.add_column("campaigns", sa.Column("told", sa.Integer(), server_default="0", nullable=False))
    op.add_column("campaigns", sa.Column("told_at", MOMENT))


def downgrade() -> None:
    """What only endpoints were told goes with them."""
    op.drop_column("campaigns", "told_at")
    op.drop_column("campaigns", "told")
    op.drop_index("ix_events_campaign_id", table_name="events")
    op.drop_index("uq_events_job_id_sequence", table_name="events")
    op.execute("DELETE FROM deliveries WHERE endpoint_id IS NOT NULL")
    op.execute(sa.text("DELETE FROM events WHERE type = ANY(:new)").bindparams(new=[*NEW_EVENTS]))
    _one_completion(OF_CAMPAIGN)
    _events(*BEFORE)
    op.add_column("deliveries", sa.Column("response_excerpt", sa.Text()))
    op.execute(LAST_EXCERPTS)
    op.drop_table("delivery_attempts")
    op.drop_table("circuits")
    op.drop_index("ix_deliveries_endpoint_id_id", table_name="deliveries")
    op.drop_index("ix_deliveries_tenant_id_id", table_name="deliveries")
    op.drop_index("ix_deliveries_waiting", table_name="deliveries")
    op.drop_constraint(op.f("uq_deliveries_event_id_receiver_id"), "deliveries")
    for column in ("tenant_id", "endpoint_id", "receiver_id", "held_until", "created_at"):
        op.drop_column("deliveries", column)
    op.create_unique_constraint(
        op.f("uq_deliveries_event_id_url"), "deliveries", ["event_id", "url"]
    )
    op.drop_table("webhook_endpoints")


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.String(length=24))),
        sa.Column("v1a", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("retired", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("disabled_at", MOMENT),
        sa.Column(
            "disabled_because",
            sa.Enum(
                *BECAUSE,
                name="disabled_because",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
        ),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_because IS NULL)",
            name=op.f("ck_webhook_endpoints_disabled_says_why"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_endpoints_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index("ix_webhook_endpoints_tenant_id_id", "webhook_endpoints", ["tenant_id", "id"])
    op.create_table(
        "circuits",
        sa.Column("receiver_id", sa.Uuid(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", MOMENT),
        sa.Column("open_until", MOMENT),
        sa.PrimaryKeyConstraint("receiver_id", name=op.f("pk_circuits")),
    )


def _attempts() -> None:
    op.create_table(
        "delivery_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("duration_ms", sa.Double()),
        sa.Column("response_status", sa.Integer()),
        sa.Column("response_excerpt", sa.Text()),
        sa.Column("error_code", sa.String(length=64)),
        sa.Column("error", sa.Text()),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_delivery_attempts_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
    )
    op.execute(ATTEMPTS)
    op.create_index(op.f("ix_delivery_attempts_delivery_id"), "delivery_attempts", ["delivery_id"])


def _deliveries() -> None:
    for column in (
        sa.Column("tenant_id", sa.Uuid()),
        sa.Column("endpoint_id", sa.Uuid()),
        sa.Column("receiver_id", sa.Uuid()),
        sa.Column("held_until", MOMENT),
        sa.Column("created_at", MOMENT, server_default=NOW),
    ):
        op.add_column("deliveries", column)
    op.execute(RECEIVERS)
    for name in ("tenant_id", "receiver_id", "created_at"):
        op.alter_column("deliveries", name, nullable=False)
    op.drop_column("deliveries", "response_excerpt")
    for name, table in (("tenant_id", "tenants"), ("endpoint_id", "webhook_endpoints")):
        op.create_foreign_key(op.f(f"fk_deliveries_{name}"), "deliveries", table, [name], ["id"])
    op.drop_constraint(op.f("uq_deliveries_event_id_url"), "deliveries")
    op.create_unique_constraint(
        op.f("uq_deliveries_event_id_receiver_id"), "deliveries", ["event_id", "receiver_id"]
    )
    op.create_index(
        "ix_deliveries_waiting", "deliveries", ["receiver_id", "due_at"], postgresql_where=PENDING
    )
    op.create_index("ix_deliveries_tenant_id_id", "deliveries", ["tenant_id", "id"])
    op.create_index("ix_deliveries_endpoint_id_id", "deliveries", ["endpoint_id", "id"])


def _events(*names: str) -> None:
    op.drop_constraint(op.f("ck_events_type"), "events")
    op.create_check_constraint(op.f("ck_events_type"), "events", sa.column("type").in_(names))


def _one_completion(where: str) -> None:
    op.drop_index("uq_events_campaign_id_type", table_name="events")
    op.create_index(
        "uq_events_campaign_id_type",
        "events",
        ["campaign_id", "type", "round"],
        unique=True,
        postgresql_where=sa.text(where),
    )
