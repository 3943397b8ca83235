"""Campaigns as callers see them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.api import schemas
from app.api.shown.parts import parameters_of, style_of
from app.db import campaigns, models
from app.db.progress import Progress
from app.domain import prices as prices_of
from app.domain.job import Lane
from app.domain.pace import CostModel
from app.domain.parameters import Parameters
from app.outlook import NOTHING, Forecast
from app.planning import lane_of
from app.settings import Settings


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
    parameters = parameters_of(campaign.parameters)
    return schemas.Campaign(
        id=campaign.id,
        name=campaign.name,
        status=campaigns.status(campaign),
        priority=campaign.priority,
        style=style_of(row, parameters),
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
            estimated_micros=_estimate(settings, campaign, left, progress, model),
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
    """
    As the queue foretells, or at the pace so far; what the budget has no room for is left out.

    A paused one ends when its owner says.
    """
    if campaign.paused_at is not None and campaign.finished_at is None:
        return None
    if left and forecast.seconds is not None:
        return forecast.seconds
    coming = progress.running + progress.waiting
    return eta(coming, progress) if coming or not left else None


def eta(left: int, progress: Progress) -> int | None:
    """Seconds until the rest is done at the pace so far; None while there is no pace."""
    if left == 0:
        return 0
    if not progress.worked or not progress.seconds:
        return None
    return round(left * progress.seconds / progress.worked)


def _estimate(
    settings: Settings,
    campaign: models.Campaign,
    left: int,
    progress: Progress,
    model: CostModel | None,
) -> int:
    """What all its pictures will cost; once it has ended, what they did."""
    if campaign.finished_at is not None:
        return campaign.cost_micros
    card = settings.rate_card
    model = model or CostModel(card, {}, settings.limits.whole_pixels)
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


def affected_shown(row: Row[Any]) -> schemas.AffectedAsset:
    """A row of `affected.pictures` as its owner sees it."""
    return schemas.AffectedAsset(
        asset_id=row.output_digest,
        renditions=row.renditions or [],
        job_id=row.id,
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        custom_id=row.custom_id,
        mix=parameters_of(row.parameters).mix,
        finished_at=row.finished_at,
    )
