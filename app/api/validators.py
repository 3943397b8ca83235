"""Headers by which callers ask again: what an answer stands for, and how soon the next is due."""

from collections.abc import Mapping

from app.api.links import window
from app.api.replies import UNCACHED
from app.db.backlog import Place
from app.db.states import CampaignState, JobState
from app.domain.job import JobStatus, Lane
from app.domain.patience import LATEST, look_again
from app.outlook import Waiting
from app.settings import Settings

Headers = Mapping[str, str]


def job_headers(settings: Settings, its: JobState, seconds: int | None) -> Headers:
    """`seconds`: until it will have ended, as far as anybody knows."""
    tag = f'"{its.version}-{window(settings)}"'
    if its.status.final:
        return {**UNCACHED, "ETag": tag}
    person = its.status is JobStatus.IN_REVIEW or (its.status is JobStatus.QUEUED and its.idle)
    return {**UNCACHED, "ETag": tag, "Retry-After": _after(person, seconds, its.age)}


def campaign_headers(its: CampaignState, seconds: int | None) -> Headers:
    """
    The same of a campaign.

    Its version holds all that is shown but for forecasts and how many of its jobs run: claims do
    not touch its row.
    """
    tag = f'"{its.version}-{its.running}"'
    if its.finished:
        return {**UNCACHED, "ETag": tag}
    person = not its.running and (its.paused or its.left == its.unpaid)
    return {**UNCACHED, "ETag": tag, "Retry-After": _after(person, seconds, its.age)}


def job_ahead(its: JobState) -> Waiting | None:
    """What has to be done before it has ended; None where nothing will be, as it is."""
    running = its.status is JobStatus.RUNNING
    if not running and (its.status is not JobStatus.QUEUED or its.idle):
        return None
    place = Place(its.priority, its.id)
    return Waiting(its.tenant_id, its.lane, place, int(not running), its.pixels)


def campaign_ahead(its: CampaignState) -> Waiting | None:
    """The same; nobody has counted its pixels."""
    if its.finished or its.paused or its.left == its.unpaid:
        return None
    lane = Lane.PRINT if its.prints else Lane.CAMPAIGN
    jobs = max(0, its.left - its.unpaid - its.running)
    return Waiting(its.tenant_id, lane, Place(its.priority, its.id), jobs, None)


def _after(person: bool, seconds: int | None, age: float) -> str:
    return str(LATEST if person else look_again(seconds, age))
