"""From rows to answers."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.api import schemas
from app.api.links import asset_url
from app.api.problems import catalogue
from app.db import campaigns, models, rate_cards
from app.db.reading import Progress
from app.domain import prices as prices_of
from app.domain.job import JobStatus, Lane
from app.domain.pace import CostModel
from app.domain.parameters import Parameters
from app.domain.prices import Usage
from app.domain.style import drawn_in, plain
from app.errors import ImpastoError
from app.outlook import NOTHING, Forecast
from app.planning import lane_of
from app.settings import RateCard, Settings

KINDS = catalogue()
SOON = timedelta(days=30)


def job_shown(settings: Settings, row: Row[Any], forecast: Forecast = NOTHING) -> schemas.Job:
    """A row of `reading.job`, `jobs` or `items` as callers see it."""
    job: models.Job = row.Job
    succeeded = job.status is JobStatus.SUCCEEDED
    parameters = _parameters(job.parameters)
    return schemas.Job(
        id=job.id,
        status=job.status,
        stage=job.stage,
        attempt=job.attempt,
        lane=job.lane,
        style=_style(row, parameters),
        parameters=parameters,
        usage=job.usage,
        custom_id=job.custom_id,
        campaign_id=job.campaign_id,
        metadata=job.metadata_,
        tags=job.tags,
        queue_position=forecast.position,
        eta_seconds=forecast.seconds,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        erased_at=job.erased_at or row.erased_at,
        timings=job.timings,
        deadline_at=job.deadline_at,
        priority=job.priority,
        warnings=job.warnings,
        review=_reviewed(job),
        error=_error(job),
        output=_output(settings, row) if succeeded and row.erased_at is None else None,
        renditions=_renditions(settings, row) if succeeded else [],
        rendered_by=job.rendered_by,
        cost=cost_shown(settings, row),
        provenance=provenance_shown(row) if succeeded else None,
        urls=_job_urls(job.id),
    )


def review_shown(settings: Settings, row: Row[Any]) -> schemas.Review:
    """A row of `reading.reviews` as reviewers see it."""
    job: models.Job = row.Job
    output = schemas.ReviewOutput(
        asset_id=job.output_digest or "",
        url=f"/v1/reviews/{job.id}/output",
        media_type=row.media_type,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
        renditions=[
            _rendition(row, one, f"/v1/reviews/{job.id}/output?rendition={one['name']}")
            for one in row.renditions or ()
        ],
    )
    return schemas.Review(job=job_shown(settings, row), output=output)


def style_shown(settings: Settings, tenant_id: UUID, row: Row[Any]) -> schemas.Style:
    """A row of `styles.listing` as callers see it."""
    name = plain(row.slug)
    ended_badly = row.job_status in (JobStatus.FAILED, JobStatus.CANCELED)
    return schemas.Style(
        name=name,
        title=row.title,
        version=row.version,
        pinned=f"{name}@{row.version}",
        status=row.job_status.value if ended_badly else row.status.value,
        own=row.tenant_id is not None,
        stylizer=f"{row.stylizer_name}-{row.stylizer_version}",
        card=card_shown(row.card),
        valid_until=row.valid_until,
        expires_in_days=_days_left(row),
        warnings=_warnings(row),
        preview_url=_preview_url(settings, tenant_id, row),
        job=f"/v1/jobs/{row.job_id}" if row.job_id else None,
        error=_error(row),
    )


def card_shown(card: dict[str, Any]) -> dict[str, Any]:
    """Who else has a licence is not the caller's to know."""
    if "tenants" not in card.get("licence", {}):
        return card
    licence = {word: value for word, value in card["licence"].items() if word != "tenants"}
    return card | {"licence": licence}


def _days_left(row: Row[Any]) -> int | None:
    """Whole days until the licence ends; 0 on its last day and after it."""
    if row.valid_until is None:
        return None
    left: timedelta = row.valid_until - row.now
    return max(0, left.days)


def _warnings(row: Row[Any]) -> list[str]:
    """What whoever plans with a style should know now."""
    said = []
    if row.withdrawn_at is not None:
        said.append("Withdrawn: its pictures are not delivered any more.")
    elif row.suspended_at is not None:
        said.append("Suspended: nothing new, and its pictures are not delivered.")
    if row.valid_until is not None and row.valid_until <= row.now:
        said.append("Its licence has ended: its pictures are not delivered any more.")
    elif row.valid_until is not None and row.valid_until - row.now <= SOON:
        said.append(f"Its licence ends in {_days_left(row)} days.")
    return said


def _preview_url(settings: Settings, tenant_id: UUID, row: Row[Any]) -> str | None:
    """A tenant's own is an asset of its; everybody's lies in the catalog."""
    if row.preview_digest:
        ends_at = row.valid_until if row.suspended_at is None else row.suspended_at
        return _url(settings, tenant_id, row.preview_digest, ends_at, row.now)
    return f"/v1/styles/{row.slug}/preview" if row.card.get("preview") else None


def campaign_shown(
    settings: Settings,
    row: Row[Any],
    progress: Progress,
    forecast: Forecast = NOTHING,
    model: CostModel | None = None,
) -> schemas.Campaign:
    """A row of `reading.campaign` or `campaigns`, and how far it is."""
    campaign: models.Campaign = row.Campaign
    left = campaign.total - campaign.in_review - campaigns.ended(campaign)
    running = min(progress.running, left)
    parameters = _parameters(campaign.parameters)
    return schemas.Campaign(
        id=campaign.id,
        name=campaign.name,
        status=campaigns.status(campaign),
        priority=campaign.priority,
        style=_style(row, parameters),
        parameters=parameters,
        metadata=campaign.metadata_,
        tags=campaign.tags,
        queue_position=forecast.position,
        counts=schemas.Counts(
            total=campaign.total,
            queued=left - running,
            running=running,
            in_review=campaign.in_review,
            succeeded=campaign.succeeded,
            cached=campaign.cached,
            failed=campaign.failed,
            canceled=campaign.canceled,
            rejected=campaign.rejected,
            expired=campaign.expired,
            refused=campaign.refused,
        ),
        cost=schemas.CampaignCost(
            estimated_micros=_estimate(settings, campaign, progress, model),
            actual_micros=campaign.cost_micros,
            budget_micros=campaign.budget_micros,
            allotted_micros=None if campaign.budget_micros is None else campaign.allotted_micros,
            currency=settings.rate_card.currency,
        ),
        eta_seconds=_eta(campaign, left, progress, forecast),
        created_at=campaign.created_at,
        paused_at=campaign.paused_at,
        cancel_requested_at=campaign.cancel_requested_at,
        finished_at=campaign.finished_at,
        urls=_campaign_urls(campaign.id),
    )


def _eta(
    campaign: models.Campaign, left: int, progress: Progress, forecast: Forecast
) -> int | None:
    """A paused one ends when its owner says; else as the queue foretells, or the pace so far."""
    if campaign.paused_at is not None and campaign.finished_at is None:
        return None
    return eta(left, progress) if forecast.seconds is None else forecast.seconds


def affected_shown(row: Row[Any]) -> schemas.AffectedAsset:
    """A row of `affected.pictures` as its owner sees it."""
    return schemas.AffectedAsset(
        asset_id=row.output_digest,
        renditions=row.renditions or [],
        job_id=row.id,
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        custom_id=row.custom_id,
        mix=_parameters(row.parameters).mix,
        finished_at=row.finished_at,
    )


def eta(left: int, progress: Progress) -> int | None:
    """Seconds until the rest is done at the pace so far; None while there is no pace."""
    if left == 0:
        return 0
    if not progress.worked or not progress.seconds:
        return None
    return round(left * progress.seconds / progress.worked)


def _error(job: models.Job | Row[Any]) -> schemas.JobError | None:
    if job.error_code is None:
        return None
    kind = KINDS.get(job.error_code, ImpastoError)
    return schemas.JobError(
        code=job.error_code,
        title=kind.title,
        detail=job.error_detail,
        retryable=kind.retryable,
    )


def _reviewed(job: models.Job) -> schemas.Reviewed | None:
    if job.review is None:
        return None
    said = job.verdict or {}
    return schemas.Reviewed(
        rule=job.review,
        state=_STATES.get((job.status, job.verdict is not None)),
        by=said.get("by"),
        reason_code=said.get("reason_code"),
        note=said.get("note"),
    )


_STATES: Final[dict[tuple[JobStatus, bool], Any]] = {
    (JobStatus.IN_REVIEW, False): "pending",
    (JobStatus.SUCCEEDED, True): "approved",
    (JobStatus.REJECTED, True): "rejected",
    (JobStatus.SUCCEEDED, False): "skipped",
}


def _output(settings: Settings, row: Row[Any]) -> schemas.OutputAsset:
    job: models.Job = row.Job
    digest = job.output_digest or ""
    return schemas.OutputAsset(
        asset_id=digest,
        url=_url(settings, job.tenant_id, digest, row.ends_at, row.now),
        media_type=row.media_type,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
    )


def _renditions(settings: Settings, row: Row[Any]) -> list[schemas.RenditionAsset]:
    whose, ends_at, now = row.Job.tenant_id, row.ends_at, row.now
    return [
        _rendition(row, one, _url(settings, whose, one["digest"], ends_at, now))
        for one in row.renditions or ()
    ]


def _rendition(row: Row[Any], one: dict[str, Any], url: str | None) -> schemas.RenditionAsset:
    facts = {name: one[name] for name in ("name", "media_type", "bytes", "width", "height")}
    suffix = Parameters.model_validate(row.Job.parameters).ending(one["name"])
    return schemas.RenditionAsset(sha256=one["digest"], url=url, suffix=suffix, **facts)


def _url(
    settings: Settings, tenant_id: UUID, digest: str, ends_at: datetime | None, now: datetime
) -> str | None:
    """None for a picture whose licence has ended, or is suspended: no new links to it."""
    if ends_at is not None and ends_at <= now:
        return None
    return asset_url(settings, tenant_id, digest, until=ends_at)


def cost_shown(settings: Settings, row: Row[Any]) -> schemas.Cost | None:
    """What a row of `reading` has cost."""
    if row.rate_card is None:
        return None
    card = rate_cards.read(row.rate_card, row.prices) if row.prices else settings.rate_card
    return schemas.Cost(
        micros=row.Job.cost_micros or 0,
        currency=card.currency,
        rate_card=row.rate_card,
        parts=parts_shown(card, _usage(row)) if row.prices and row.device_ms is not None else None,
    )


def _usage(row: Row[Any]) -> Usage:
    return Usage(row.device_ms, row.cpu_ms, row.stored_bytes, row.signatures)


def parts_shown(card: RateCard, usage: Usage, jobs: int = 1) -> schemas.CostParts:
    """A bill line by line."""
    amounts, prices = prices_of.quantities(card, usage, jobs), prices_of.rates(card)
    shown = {
        part.value: schemas.CostPart(
            quantity=round(amount, 9),
            unit=prices_of.UNITS[part],
            micros=round(amount * prices[part], 3),
        )
        for part, amount in amounts.items()
    }
    return schemas.CostParts.model_validate(shown)


def _style(row: Row[Any], parameters: Parameters) -> str:
    return drawn_in(row.slug, row.style_version, parameters.mix)


def _parameters(kept: dict[str, Any]) -> Parameters:
    """As they were asked for: a tenant's own styles by the names it gave them."""
    parameters = Parameters.model_validate(kept)
    if not parameters.mix:
        return parameters
    named = {plain(name): share for name, share in parameters.mix.items()}
    return parameters.model_copy(update={"mix": named})


def provenance_shown(row: Row[Any]) -> schemas.Provenance:
    """What made the output of a row of `reading`."""
    job: models.Job = row.Job
    parameters = _parameters(job.parameters)
    return schemas.Provenance(
        content_sha256=job.content_digest or "",
        output_sha256=job.output_digest or "",
        style=_style(row, parameters),
        stylizer=schemas.StylizerName(
            name=row.stylizer_name, version=row.stylizer_version, digest=row.stylizer_digest
        ),
        engine=row.engine,
        device=row.device,
        batch_size=row.batch_size,
        render_key=job.render_key or "",
        parameters=parameters,
        software=row.software,
        credentials=_credentials(row),
    )


def rendition_provenance(made: schemas.Provenance, part: dict[str, Any]) -> schemas.Provenance:
    """The same of a rendition, which `row.renditions` has: it is signed by itself."""
    signed = part["manifest_label"] and schemas.ContentCredentials(
        label=part["manifest_label"],
        manifest_sha256=part["manifest_digest"],
        certificate_sha256=part["certificate_digest"],
    )
    about = {"output_sha256": part["digest"], "rendition": part["name"], "credentials": signed}
    return made.model_copy(update=about)


def _credentials(row: Row[Any]) -> schemas.ContentCredentials | None:
    if row.manifest_label is None:
        return None
    return schemas.ContentCredentials(
        label=row.manifest_label,
        manifest_sha256=row.manifest_digest,
        certificate_sha256=row.certificate_digest,
    )


def _estimate(
    settings: Settings, campaign: models.Campaign, progress: Progress, model: CostModel | None
) -> int:
    """What all its pictures will cost; once it has ended, what they did."""
    if campaign.finished_at is not None:
        return campaign.cost_micros
    card = settings.rate_card
    model = model or CostModel(card, {}, settings.limits.whole_pixels)
    left = campaign.total - campaign.succeeded - campaign.failed - campaign.canceled
    parameters = Parameters.model_validate(campaign.parameters)
    lane = lane_of(Lane.CAMPAIGN, parameters)
    foreseen = model.usage(lane, progress.pixels / campaign.total, parameters.renditions)
    return campaign.cost_micros + round(left * prices_of.exactly(card, foreseen))


def _campaign_urls(campaign_id: UUID) -> schemas.CampaignUrls:
    path = f"/v1/campaigns/{campaign_id}"
    return schemas.CampaignUrls(
        get=path,
        items=f"{path}/items",
        cancel=f"{path}/cancel",
        manifest_errors=f"{path}/manifest-errors",
        pause=f"{path}/pause",
        resume=f"{path}/resume",
        retry_failed=f"{path}/retry-failed",
    )


def _job_urls(job_id: UUID) -> schemas.JobUrls:
    path = f"/v1/jobs/{job_id}"
    return schemas.JobUrls(get=path, cancel=f"{path}/cancel", retry=f"{path}/retry")
