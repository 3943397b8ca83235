"""What else records of outputs tell, and manifests that go when their time is over.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = (
    ("worker", sa.String()),
    ("hardware", sa.String()),
    ("image", sa.String()),
    ("peak_bytes", sa.BigInteger()),
    ("drawn_digest", sa.String(length=64)),
    ("certificate_serial", sa.String(length=64)),
    ("stamped_at", sa.DateTime(timezone=True)),
)
CHECKS = {
    "stamped_if_signed": (
        "manifest_label IS NOT NULL OR num_nulls(certificate_serial, stamped_at) = 2"
    ),
    "peak_positive": "peak_bytes > 0",
}


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("inferences", sa.Column(name, kind))
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_inferences_{name}"), "inferences", rule)
    op.create_index(
        "ix_uploads_manifests",
        "uploads",
        ["expires_at"],
        postgresql_where=sa.text("left(media_type, 6) <> 'image/'"),
    )


def downgrade() -> None:
    op.drop_index("ix_uploads_manifests", table_name="uploads")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_inferences_{name}"), "inferences")
    for name, _ in COLUMNS:
        op.drop_column("inferences", name)
