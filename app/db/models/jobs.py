"""Campaigns, jobs and what happened to them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import DIGEST, Base
from app.domain.ids import new_id
from app.domain.job import JobStatus, Lane

_ENDED = "succeeded + failed + canceled + rejected + expired"


class Campaign(Base):
    """Many jobs under one name. The counts are kept by `move`, so completion has no race."""

    __tablename__ = "campaigns"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    style_version_id: Mapped[UUID] = mapped_column(ForeignKey("style_versions.id"))
    parameters: Mapped[dict[str, Any]]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    tags: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    principal: Mapped[str | None] = mapped_column(String(16))  #: prefix of the key it came with
    traceparent: Mapped[str | None] = mapped_column(String(55))  #: W3C's; its jobs' likewise
    webhook: Mapped[dict[str, Any] | None]
    total: Mapped[int]
    succeeded: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    canceled: Mapped[int] = mapped_column(server_default="0")
    rejected: Mapped[int] = mapped_column(server_default="0")
    expired: Mapped[int] = mapped_column(server_default="0")
    in_review: Mapped[int] = mapped_column(server_default="0")  #: not ended, and yet paid for
    refused: Mapped[int] = mapped_column(server_default="0")  #: lines that became no job
    cost_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")
    budget_micros: Mapped[int | None] = mapped_column(BigInteger)
    #: Of the budget, set aside for jobs that may be claimed or are running.
    allotted_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")
    unfunded: Mapped[int] = mapped_column(server_default="0")  #: jobs that wait for the rest of it
    budget_told_at: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    round: Mapped[int] = mapped_column(SmallInteger, server_default="1")  #: ends once in each
    paused_at: Mapped[datetime | None]
    told: Mapped[int] = mapped_column(server_default="0")  #: ended jobs, as of the last progress
    told_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    cached: Mapped[int] = mapped_column(server_default="0")  #: of those that succeeded
    version: Mapped[int] = mapped_column(server_default="1")
    finished_version: Mapped[int | None]  #: as of `finished_at`; later ones end nothing

    __table_args__ = (
        Index("ix_campaigns_tenant_id_id", "tenant_id", "id"),
        CheckConstraint(f"{_ENDED} + in_review <= total", name="counts_within_total"),
        CheckConstraint(
            f"(finished_at IS NOT NULL) = ({_ENDED} = total)", name="finished_iff_all_final"
        ),
        # Those that finished before it was kept have none.
        CheckConstraint(
            "finished_version IS NULL OR (finished_at IS NOT NULL AND finished_version <= version)",
            name="finished_version_in_time",
        ),
        CheckConstraint("budget_micros > 0", name="budget_positive"),
        Index("ix_campaigns_open", "tenant_id", postgresql_where=text("finished_at IS NULL")),
        Index("ix_campaigns_unfunded", "id", postgresql_where=text("unfunded > 0")),
    )


class Job(Base):
    """One content image, one style, one set of parameters. The row is the truth."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    campaign_id: Mapped[UUID | None] = mapped_column(ForeignKey("campaigns.id"))
    custom_id: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[JobStatus] = mapped_column(server_default=JobStatus.QUEUED.value)
    lane: Mapped[Lane]
    stage: Mapped[str | None] = mapped_column(String(16))  #: as of the last heartbeat
    attempt: Mapped[int] = mapped_column(server_default="0")  #: the fence: grows with every claim
    round: Mapped[int] = mapped_column(SmallInteger, server_default="1")  #: grows with each retry
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    crashes: Mapped[int] = mapped_column(
        SmallInteger, server_default="0"
    )  #: while suspected, or fetched
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deadline_at: Mapped[datetime | None]  #: what still waits then expires
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: Its campaign is paused, or has not the money for it: no claim sees the row. Running jobs
    #: carry the marks, too, for the case that they come back.
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    unfunded: Mapped[bool] = mapped_column(server_default=text("false"))
    reserved_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")
    source: Mapped[str] = mapped_column(Text)  #: as the caller named it: URL, upload or body
    content_digest: Mapped[str | None] = mapped_column(DIGEST)
    pixels: Mapped[int] = mapped_column(server_default="0")  #: of the output; prices the claim
    style_version_id: Mapped[UUID] = mapped_column(ForeignKey("style_versions.id"))
    parameters: Mapped[dict[str, Any]]
    usage: Mapped[dict[str, Any] | None]  #: where the picture will be shown, as far as said
    render_key: Mapped[str | None] = mapped_column(DIGEST)
    #: The render key, where its picture may be another job's or become it.
    cache_key: Mapped[str | None] = mapped_column(DIGEST)
    rendered_by: Mapped[UUID | None]  #: the job whose picture it got; none for what was drawn
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    tags: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  #: never change
    principal: Mapped[str | None] = mapped_column(String(16))  #: prefix of the key it came with
    traceparent: Mapped[str | None] = mapped_column(String(55))  #: of those without a campaign
    webhook: Mapped[dict[str, Any] | None]
    output_digest: Mapped[str | None] = mapped_column(DIGEST)
    warnings: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    review: Mapped[str | None] = mapped_column(String(16))  #: the rule it was accepted under
    verdict: Mapped[dict[str, Any] | None]  #: what the reviewer said, once one did
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    timings: Mapped[dict[str, Any] | None]  #: milliseconds per stage of the last attempt
    cost_micros: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(server_default="1")  #: the ETag
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]  #: nothing of a caller's is left in it

    __table_args__ = (
        UniqueConstraint("campaign_id", "custom_id"),
        ForeignKeyConstraint(
            ["tenant_id", "content_digest"], ["assets.tenant_id", "assets.digest"], name="content"
        ),
        ForeignKeyConstraint(
            ["tenant_id", "output_digest"], ["assets.tenant_id", "assets.digest"], name="output"
        ),
        CheckConstraint(
            "(finished_at IS NOT NULL) = "
            "(status IN ('succeeded', 'failed', 'canceled', 'rejected', 'expired'))",
            name="finished_iff_final",
        ),
        CheckConstraint(
            "(status = 'running') = (worker IS NOT NULL AND lease_until IS NOT NULL)",
            name="held_iff_running",
        ),
        CheckConstraint(
            "(status IN ('in_review', 'succeeded', 'rejected')) = (output_digest IS NOT NULL)",
            name="output_iff_made",
        ),
        CheckConstraint(
            "status NOT IN ('failed', 'expired') OR error_code IS NOT NULL", name="failed_says_why"
        ),
        CheckConstraint(
            "verdict IS NULL OR status IN ('succeeded', 'rejected')", name="verdict_ends"
        ),
        CheckConstraint("status <> 'rejected' OR verdict IS NOT NULL", name="rejected_says_why"),
        CheckConstraint(
            "lane = 'fetch' OR content_digest IS NOT NULL", name="content_before_claim"
        ),
        # What a claim reads: per lane, each tenant's most urgent and oldest first. Partial, so that
        # finished, paused and unpaid work costs the queue nothing.
        Index(
            "ix_jobs_waiting",
            "lane",
            "tenant_id",
            text("priority DESC"),
            "id",
            postgresql_where=text("status = 'queued' AND NOT paused AND NOT unfunded"),
        ),
        Index(
            "ix_jobs_unfunded",
            "campaign_id",
            text("priority DESC"),
            "id",
            postgresql_where=text("status = 'queued' AND unfunded"),
        ),
        Index(
            "ix_jobs_deadline",
            "deadline_at",
            postgresql_where=text("status = 'queued' AND deadline_at IS NOT NULL"),
        ),
        Index(
            "ix_jobs_in_review", "tenant_id", "id", postgresql_where=text("status = 'in_review'")
        ),
        Index(
            "ix_jobs_tenant_id_output_digest",
            "tenant_id",
            "output_digest",
            postgresql_where=text("output_digest IS NOT NULL"),
        ),
        CheckConstraint(
            "rendered_by IS NULL OR status IN ('in_review', 'succeeded', 'rejected')",
            name="hit_iff_made",
        ),
        # Two equal pictures are not drawn at the same time, whoever claims them.
        Index(
            "uq_jobs_drawing",
            "tenant_id",
            "cache_key",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        Index(
            "ix_jobs_drawn",
            "tenant_id",
            "cache_key",
            postgresql_where=text("status = 'succeeded' AND rendered_by IS NULL"),
        ),
        # The job that a version is learned by; none is learned twice.
        Index(
            "uq_jobs_learning",
            "style_version_id",
            unique=True,
            postgresql_where=text("lane = 'learn'"),
        ),
        # Which pictures came from a style, and which style a picture came from.
        Index(
            "ix_jobs_style_outputs",
            "style_version_id",
            "tenant_id",
            "id",
            postgresql_where=text("output_digest IS NOT NULL"),
        ),
        Index(
            "ix_jobs_mixed_outputs",
            "tenant_id",
            "id",
            postgresql_where=text("output_digest IS NOT NULL AND parameters ? 'mix'"),
        ),
        # Of a tenant's single jobs, those that count among what it has waiting.
        Index(
            "ix_jobs_single_waiting",
            "tenant_id",
            postgresql_where=text("campaign_id IS NULL AND status IN ('queued', 'running')"),
        ),
        Index("ix_jobs_held", "lease_until", postgresql_where=text("status = 'running'")),
        # How many of a campaign run: counted whenever somebody asks whether it changed.
        Index(
            "ix_jobs_running",
            "campaign_id",
            postgresql_where=text("status = 'running' AND campaign_id IS NOT NULL"),
        ),
        Index("ix_jobs_campaign_id_id", "campaign_id", "id"),
        Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
        # Who used a picture. Partial, so that a job costs it one entry in its life.
        Index(
            "ix_jobs_content",
            *("tenant_id", "content_digest"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        Index(
            "ix_jobs_paused",
            *("tenant_id", "id"),
            postgresql_where=text("status = 'queued' AND paused"),
        ),
        Index("ix_jobs_masked", *("tenant_id", "id"), postgresql_where=text("parameters ? 'mask'")),
    )


class JobHistory(Base):
    """What happened to a job, append-only, written in the transaction that did it."""

    __tablename__ = "job_history"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    status: Mapped[JobStatus]
    attempt: Mapped[int]
    worker: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int | None]  #: of the job since; None of what happened before it was kept
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
