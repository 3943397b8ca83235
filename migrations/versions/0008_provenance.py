"""What outputs were signed with, and by what: provenance that nothing else tells.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

DIGEST = sa.String(length=64)


def upgrade() -> None:
    op.add_column("inferences", sa.Column("software", sa.String(), nullable=True))
    op.add_column("inferences", sa.Column("manifest_label", sa.String(), nullable=True))
    op.add_column("inferences", sa.Column("manifest_digest", DIGEST, nullable=True))
    op.add_column("inferences", sa.Column("certificate_digest", DIGEST, nullable=True))
    op.create_check_constraint(
        op.f("ck_inferences_signed_or_not"),
        "inferences",
        "num_nulls(manifest_label, manifest_digest, certificate_digest) IN (0, 3)",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_inferences_signed_or_not"), "inferences")
    for name in ("certificate_digest", "manifest_digest", "manifest_label", "software"):
        op.drop_column("inferences", name)
