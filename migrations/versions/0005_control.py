"""Campaigns that can be steered: rounds, pauses, priorities, deadlines, budgets and reviews.

Revision ID: 0005
Revises: 0004
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATUSES = ("queued", "running", "succeeded", "failed", "canceled")
MORE_STATUSES = ("in_review", "rejected", "expired")
TYPES = ("job.started", "job.succeeded", "job.failed", "job.canceled", "campaign.completed")
MORE_TYPES = (
    "job.expired",
    "job.rejected",
    "job.in_review",
    "job.reviewed",
    "campaign.budget",
)
ENDED = "succeeded + failed + canceled"
MORE_ENDED = f"{ENDED} + rejected + expired"
FINAL = "'succeeded', 'failed', 'canceled'"
MORE_FINAL = f"{FINAL}, 'rejected', 'expired'"

#: What ended stays as it ended, but for a retry: the next round of the same job.
FINAL_STAYS = f"""
DROP TRIGGER final_stays ON jobs;
CREATE TRIGGER final_stays BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (OLD.status IN ({MORE_FINAL}) AND NOT (
    OLD.status IN ('failed', 'expired') AND NEW.status = 'queued' AND NEW.round = OLD.round + 1
)) EXECUTE FUNCTION final_stays();
"""
FINAL_STAYED = f"""
DROP TRIGGER final_stays ON jobs;
CREATE TRIGGER final_stays BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (OLD.status IN ({FINAL})) EXECUTE FUNCTION final_stays();
"""


def upgrade() -> None:
    _drop_checks("output_iff_succeeded")
    _words(STATUSES + MORE_STATUSES, TYPES + MORE_TYPES)
    _jobs()
    _campaigns()
    _rounds()
    op.execute(FINAL_STAYS)


def downgrade() -> None:
    """
    What awaits review is withdrawn, and so is what was rejected or expired: the older schema has
    no word that keeps an output from being delivered. Closed rounds, which balance, are forgotten.
    """
    _drop_checks("output_iff_made", "verdict_ends", "rejected_says_why")
    op.execute("ALTER TABLE jobs DISABLE TRIGGER final_stays")
    op.execute(
        "UPDATE jobs SET status = 'canceled', output_digest = NULL, verdict = NULL,"
        " finished_at = coalesce(finished_at, now())"
        " WHERE status IN ('in_review', 'rejected', 'expired')"
    )
    op.execute("ALTER TABLE jobs ENABLE TRIGGER final_stays")
    op.execute(
        "UPDATE job_history SET status = 'canceled'"
        " WHERE status IN ('in_review', 'rejected', 'expired')"
    )
    op.execute("ALTER TABLE ledger DISABLE TRIGGER ledger_stays")
    op.execute("DELETE FROM ledger USING jobs WHERE jobs.id = job_id AND ledger.round < jobs.round")
    op.execute("ALTER TABLE ledger ENABLE TRIGGER ledger_stays")
    op.execute(
        "DELETE FROM events USING (SELECT id, row_number() OVER ("
        " PARTITION BY coalesce(job_id, campaign_id), job_id IS NULL, type ORDER BY round DESC"
        ") AS n FROM events WHERE type <> 'job.started') AS counted"
        " WHERE events.id = counted.id AND n > 1"
    )
    op.execute(
        sa.text("DELETE FROM events WHERE type IN :types").bindparams(
            sa.bindparam("types", MORE_TYPES, expanding=True)
        )
    )
    op.execute(
        "UPDATE campaigns SET canceled = canceled + rejected + expired + in_review,"
        " rejected = 0, expired = 0, in_review = 0, finished_at = CASE WHEN"
        " succeeded + failed + canceled + rejected + expired + in_review = total"
        " THEN coalesce(finished_at, now()) END"
    )
    op.execute(FINAL_STAYED)
    _rounds_gone()
    _campaigns_gone()
    _jobs_gone()
    _words(STATUSES, TYPES)


def _jobs() -> None:
    op.add_column("jobs", sa.Column("round", sa.SmallInteger(), server_default="1", nullable=False))
    op.add_column("jobs", sa.Column("deadline_at", sa.DateTime(timezone=True)))
    op.add_column(
        "jobs", sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False)
    )
    for mark in ("paused", "unfunded"):
        no = sa.text("false")
        op.add_column("jobs", sa.Column(mark, sa.Boolean(), server_default=no, nullable=False))
    op.add_column(
        "jobs", sa.Column("reserved_micros", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "jobs",
        sa.Column("warnings", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("jobs", sa.Column("review", sa.String(length=16)))
    op.add_column("jobs", sa.Column("verdict", postgresql.JSONB()))
    _check("finished_iff_final", f"(finished_at IS NOT NULL) = (status IN ({MORE_FINAL}))")
    made = "'in_review', 'succeeded', 'rejected'"
    _check("output_iff_made", f"(status IN ({made})) = (output_digest IS NOT NULL)")
    _check("failed_says_why", "status NOT IN ('failed', 'expired') OR error_code IS NOT NULL")
    _check("verdict_ends", "verdict IS NULL OR status IN ('succeeded', 'rejected')")
    _check("rejected_says_why", "status <> 'rejected' OR verdict IS NOT NULL")
    op.drop_index("ix_jobs_waiting", table_name="jobs")
    urgent = sa.text("priority DESC")
    _index(
        "ix_jobs_waiting",
        ["lane", "tenant_id", urgent, "id"],
        "status = 'queued' AND NOT paused AND NOT unfunded",
    )
    _index("ix_jobs_unfunded", ["campaign_id", urgent, "id"], "status = 'queued' AND unfunded")
    _index("ix_jobs_deadline", ["deadline_at"], "status = 'queued' AND deadline_at IS NOT NULL")
    _index("ix_jobs_in_review", ["tenant_id", "id"], "status = 'in_review'")
    _index(
        "ix_jobs_tenant_id_output_digest",
        ["tenant_id", "output_digest"],
        "output_digest IS NOT NULL",
    )


def _jobs_gone() -> None:
    for name in ("tenant_id_output_digest", "in_review", "deadline", "unfunded", "waiting"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    _index("ix_jobs_waiting", ["lane", "tenant_id", "id"], "status = 'queued'")
    _check("finished_iff_final", f"(finished_at IS NOT NULL) = (status IN ({FINAL}))")
    _check("output_iff_succeeded", "(status = 'succeeded') = (output_digest IS NOT NULL)")
    _check("failed_says_why", "status <> 'failed' OR error_code IS NOT NULL")
    for name in ("verdict", "review", "warnings", "reserved_micros", "unfunded", "paused"):
        op.drop_column("jobs", name)
    for name in ("priority", "deadline_at", "round"):
        op.drop_column("jobs", name)


def _campaigns() -> None:
    for name in ("rejected", "expired", "in_review", "unfunded"):
        number = sa.Column(name, sa.Integer(), server_default="0", nullable=False)
        op.add_column("campaigns", number)
    op.add_column("campaigns", sa.Column("budget_micros", sa.BigInteger()))
    op.add_column(
        "campaigns",
        sa.Column("allotted_micros", sa.BigInteger(), server_default="0", nullable=False),
    )
    for name in ("budget_told_at", "paused_at"):
        op.add_column("campaigns", sa.Column(name, sa.DateTime(timezone=True)))
    for name, value in (("priority", "0"), ("round", "1")):
        small = sa.Column(name, sa.SmallInteger(), server_default=value, nullable=False)
        op.add_column("campaigns", small)
    _counts(MORE_ENDED, f"{MORE_ENDED} + in_review")
    op.create_check_constraint(
        op.f("ck_campaigns_budget_positive"), "campaigns", "budget_micros > 0"
    )
    _index("ix_campaigns_unfunded", ["id"], "unfunded > 0", table="campaigns")


def _campaigns_gone() -> None:
    op.drop_index("ix_campaigns_unfunded", table_name="campaigns")
    op.drop_constraint(op.f("ck_campaigns_budget_positive"), "campaigns")
    _counts(ENDED, ENDED)
    for name in ("round", "priority", "paused_at", "budget_told_at", "allotted_micros"):
        op.drop_column("campaigns", name)
    for name in ("budget_micros", "unfunded", "in_review", "expired", "rejected"):
        op.drop_column("campaigns", name)


def _counts(ended: str, counted: str) -> None:
    for name in ("counts_within_total", "finished_iff_all_final"):
        op.drop_constraint(op.f(f"ck_campaigns_{name}"), "campaigns")
    op.create_check_constraint(
        op.f("ck_campaigns_counts_within_total"), "campaigns", f"{counted} <= total"
    )
    op.create_check_constraint(
        op.f("ck_campaigns_finished_iff_all_final"),
        "campaigns",
        f"(finished_at IS NOT NULL) = ({ended} = total)",
    )


def _rounds() -> None:
    for table in ("ledger", "events"):
        first = sa.Column("round", sa.SmallInteger(), server_default="1", nullable=False)
        op.add_column(table, first)
    op.drop_constraint(op.f("uq_ledger_job_id_kind"), "ledger")
    op.create_unique_constraint(
        op.f("uq_ledger_job_id_kind_round"), "ledger", ["job_id", "kind", "round"]
    )
    _told_once("round")


def _rounds_gone() -> None:
    op.drop_constraint(op.f("uq_ledger_job_id_kind_round"), "ledger")
    op.create_unique_constraint(op.f("uq_ledger_job_id_kind"), "ledger", ["job_id", "kind"])
    _told_once()
    for table in ("ledger", "events"):
        op.drop_column(table, "round")


def _told_once(*more: str) -> None:
    for subject, when in (
        ("job_id", "job_id IS NOT NULL AND type <> 'job.started'"),
        ("campaign_id", "job_id IS NULL"),
    ):
        op.drop_index(f"uq_events_{subject}_type", table_name="events")
        columns = [subject, "type", *more]
        _index(f"uq_events_{subject}_type", columns, when, table="events", unique=True)


def _words(statuses: tuple[str, ...], types: tuple[str, ...]) -> None:
    for table, column, words in (
        ("jobs", "status", statuses),
        ("job_history", "status", statuses),
        ("events", "type", types),
    ):
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, sa.column(column).in_(words))


def _drop_checks(*names: str) -> None:
    """Of `jobs`: these, and those that both schemas have in words of their own."""
    for name in (*names, "finished_iff_final", "failed_says_why"):
        op.drop_constraint(op.f(f"ck_jobs_{name}"), "jobs")


def _check(name: str, rule: str) -> None:
    op.create_check_constraint(op.f(f"ck_jobs_{name}"), "jobs", rule)


def _index(
    name: str,
    columns: Sequence[str | sa.TextClause],
    when: str,
    *,
    table: str = "jobs",
    unique: bool = False,
) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=sa.text(when))
