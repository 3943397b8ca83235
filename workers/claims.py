"""What a worker takes to draw, less what need not be drawn: jobs without a licence, and hits."""

from dataclasses import dataclass, field
from time import time_ns

from sqlalchemy.exc import IntegrityError

from app import metrics
from app.db import cache, campaigns, jobs, licences, traces
from app.db.jobs import Held
from app.domain.job import Lane
from workers.studio import Studio, Work, tell
from workers.trails import begin

CLAIMS = 3  #: in a row that may collide with others for the same pictures


@dataclass(frozen=True)
class Group:
    """What one claim took."""

    works: list[Work]
    full: bool  #: as much as it would: there may be more
    ended: dict[str, int] = field(default_factory=dict)  #: at once, for operators to read


def claim(studio: Studio, lane: Lane, *, limit: int | None, crashes: int, largest: int) -> Group:
    """A group; again, if somebody begins to draw one of the same pictures in that moment."""
    for _ in range(CLAIMS):
        try:
            return _claimed(studio, lane, limit or studio.worker_settings.group, crashes, largest)
        except IntegrityError as error:
            if not cache.collided(error):
                raise
    return Group([], full=True)  # so that somebody comes again: it is done by then


def _claimed(studio: Studio, lane: Lane, limit: int, crashes: int, largest: int) -> Group:
    since = time_ns()
    pixels = studio.pace.pixels(studio.worker_settings.group_seconds)
    ahead = studio.tally.ahead(lane)
    with studio.sessions.begin() as session:
        rows = jobs.claim(
            session,
            lane,
            worker=studio.worker,
            limit=limit,
            pixels=pixels,
            lease=studio.worker_settings.lease_seconds,
            crashes=crashes,
            most_each=largest,
            ahead={tenant: studio.pace.covers(ms) for tenant, ms in ahead.items()},
        )
        hits = cache.found(session, rows)
        if hits:  # more of them wait: those of the same request, and copies
            hits += cache.ahead(session, lane, {row.tenant_id for row in rows})
            campaigns.hold(session, {one.campaign_id for one in (*rows, *hits)})
        refused = licences.refuse_lapsed(session, rows, by=studio.worker)
        hits = [hit for hit in hits if hit.id not in refused]
        ended = cache.end(session, hits, by=studio.worker)
        over = refused | {hit.id for hit in hits}
        taken = [row for row in rows if row.id not in over]
        names = {name for row in taken for name in row.parameters.get("mix") or ()}
        studio.stylebook.learn(session, {row.style_version_id for row in taken}, names)
        parents = traces.of_jobs(session, taken) if studio.tracer.on else {}
    metrics.refused.labels("claim").inc(len(refused))
    if refused or ended:
        tell(studio, [*ended, *(row for row in rows if row.id in refused)], session)
    full = len(rows) == limit or sum(row.pixels for row in rows) >= pixels or bool(hits)
    works = [
        Work(row, Held(row.id, row.attempt), foreseen_ms=studio.pace.milliseconds(row.pixels))
        for row in taken
    ]
    if studio.tracer.on:
        begin(studio, works, parents, since)
    studio.tally.claimed(lane, [(work.row.tenant_id, work.foreseen_ms) for work in works])
    return Group(works, full, {"cached": len(ended)} if ended else {})
