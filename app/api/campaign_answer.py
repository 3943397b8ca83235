"""The answer that tells of a campaign, whoever asked."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from starlette.responses import Response

from app.api import schemas
from app.api.replies import not_modified, reply, unchanged
from app.api.shown import campaign_shown
from app.api.validators import campaign_headers
from app.db import progress, reading
from app.db.backlog import Place
from app.db.models import Campaign
from app.db.progress import Progress
from app.db.states import CampaignState
from app.domain.job import Lane
from app.domain.parameters import Parameters
from app.outlook import NOTHING, Forecast, Waiting
from app.planning import lane_of
from app.submission import Desk


def shown(
    desk: Desk,
    tenant_id: UUID,
    campaign_id: UUID,
    if_none_match: str | None = None,
    *,
    accepted: bool = False,
) -> Response:
    """The campaign as it is, or 304."""
    with desk.sessions() as session:
        row = reading.campaign(session, tenant_id, campaign_id)
        [content] = with_progress(desk, session, [row])
    its = CampaignState.of(row.Campaign, content.counts.running, row.now)
    headers = dict(campaign_headers(its, content.eta_seconds))
    if unchanged(if_none_match, headers["ETag"]):
        return not_modified(headers)
    if accepted:
        headers["Location"] = content.urls.get
    return reply(content, 202 if accepted else 200, headers)


def with_progress(desk: Desk, session: Session, rows: Any) -> list[schemas.Campaign]:
    """Campaigns as they are shown; only those that still run have their jobs counted."""
    ids = [row.Campaign.id for row in rows if row.Campaign.finished_at is None]
    counted = progress.read(session, ids) if ids else {}
    over = progress.NONE
    model = desk.outlook.model(session, desk.settings)
    shown = []
    for row in rows:
        its = counted.get(row.Campaign.id, over)
        forecast = _forecast(desk, session, row.Campaign, its)
        shown.append(campaign_shown(desk.settings, row, its, forecast, model))
    return shown


def _forecast(desk: Desk, session: Session, campaign: Campaign, its: Progress) -> Forecast:
    """When what will be drawn of it has been: what its budget has no room for is none of that."""
    if not its.running and (not its.waiting or campaign.paused_at is not None):
        return NOTHING
    return desk.outlook.of_many(
        session,
        desk.settings,
        Waiting(
            tenant_id=campaign.tenant_id,
            lane=lane_of(Lane.CAMPAIGN, Parameters.model_validate(campaign.parameters)),
            # Its id was made before those of its jobs, and those grow with time.
            place=Place(campaign.priority, campaign.id),
            jobs=its.waiting,
            pixels=its.waiting_pixels,
        ),
    )
