"""Pictures behind URLs: fetched by the io worker, so that stylizing workers need no way out."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.db import Sessions, budgets, events, intake, jobs, licences, paces, traces, twins, uses
from app.db.intake import NewAsset
from app.db.jobs import Held
from app.db.models import StyleVersion
from app.db.moves import settle_budget
from app.db.styles import pin
from app.domain.job import Lane
from app.domain.pace import CostModel
from app.domain.parameters import Parameters, render_key
from app.domain.prices import rounded
from app.erasing import forget_unneeded
from app.errors import ImpastoError
from app.logs import about, ids_of
from app.planning import cacheable, lane_of, output_pixels
from app.queue import Tickets
from app.settings import Settings
from app.sources import Picture, look_at
from app.storage import Blob, Storage, asset_key
from app.tracing import NOWHERE, OFF, Kind, Span, Tracer
from workers.gate import Gate
from workers.leases import Leases
from workers.shares import Tally

TWIN_SECONDS: Final = 2.0  #: until a job asks again whether its picture has been brought


@dataclass(frozen=True)
class Porter:
    """What an io worker needs to bring pictures in."""

    worker: str
    settings: Settings
    sessions: Sessions
    storage: Storage
    tickets: Tickets
    fetch: Callable[[str], bytes]
    leases: Leases
    gate: Gate
    tally: Tally = field(default_factory=Tally)
    tracer: Tracer = OFF


def fetch(porter: Porter) -> dict[str, int]:
    """
    Bring one picture in and queue its job for stylizing, or fail it with the reason.

    One whose worker died is brought with no other beside it, so that who kills is known. The
    others leave meanwhile, rather than keep webhooks and sweeps from their threads.
    """
    if porter.gate.closed:
        return {}
    with porter.gate.together():
        row = _claim(porter)
        if row is None:
            return {}
        if not row.crashes:
            porter.tickets.work(Lane.FETCH)  # there may be more, and other threads may be idle
            return _serve(porter, row)
    with porter.gate.alone():
        row = _claim(porter, alone=True)
        answer = _serve(porter, row) if row else {}
    porter.tickets.work(Lane.FETCH)  # for those who left
    return answer


def _claim(porter: Porter, *, alone: bool = False) -> Row[Any] | None:
    """
    The oldest of a tenant whose turn it is; a suspect is not taken unless we are `alone`, only
    shown.
    """
    lease, ahead = porter.settings.worker.lease_seconds, porter.tally.ahead(Lane.FETCH)
    about: Any = {"worker": porter.worker, "lease": lease, "ahead": ahead}
    with porter.sessions() as session:
        rows = jobs.claim(session, Lane.FETCH, limit=1, pixels=1, **about)
        row = rows[0] if rows else None
        if alone or not (row and row.crashes):
            session.commit()
            porter.tally.claimed(Lane.FETCH, [(one.tenant_id, 1.0) for one in rows])
    return row


def _serve(porter: Porter, row: Row[Any]) -> dict[str, int]:
    with (
        porter.leases.hold([Held(row.id, row.attempt)]),
        about(**ids_of(row)),
        _followed(porter, row) as span,
    ):
        try:
            lane = _bring(porter, row)
            if lane is None:
                return {"waits": 1}
        except ImpastoError as error:
            span.broke(error.code)
            return _give_up(porter, row, error)
    porter.tickets.work(lane)
    return {"fetched": 1}


def _followed(porter: Porter, row: Row[Any]) -> AbstractContextManager[Span]:
    """A span in the trace of its request."""
    if not porter.tracer.on:
        return nullcontext(NOWHERE)
    with porter.sessions() as session:
        parent = traces.of_jobs(session, [row]).get(row.id)
    return porter.tracer.span("fetch", Kind.CONSUMER, parent=parent)


def _bring(porter: Porter, row: Row[Any]) -> Lane | None:
    """The lane that the job waits in now; None: another output of its item brings its picture."""
    _check_licences(porter, row)
    known = _twin(porter, row)
    if known is not None and known.digest is None:
        _wait(porter, row)
        return None
    parameters = Parameters.model_validate(row.parameters)
    brought = _fetched(porter, row, parameters) if known is None else None
    asset = cast(Picture, known) if brought is None else brought.asset  # columns of those names
    pixels = output_pixels(porter.settings.limits, parameters, asset.width, asset.height)
    with porter.sessions.begin() as session:
        if not _keep(porter, session, row.tenant_id, brought, asset.digest):
            jobs.defer(session, Held(row.id, row.attempt), seconds=0, by=porter.worker)
            return None
        moved = jobs.fetched(
            session,
            Held(row.id, row.attempt),
            content_digest=asset.digest,
            pixels=pixels,
            key=_render_key(session, row, asset.digest, parameters),
            shared=cacheable(porter.settings, parameters),
        )
        for job in moved:
            _pay(porter.settings, session, job)
        if not moved and jobs.canceled(session, [row.id]):
            forget_unneeded(session, porter.storage, row.tenant_id, [asset.digest])
    if events.written(session):
        porter.tickets.deliver()
    for let_in in budgets.let_in(session):
        porter.tickets.work(let_in)
    return lane_of(Lane.INTERACTIVE if row.campaign_id is None else Lane.CAMPAIGN, parameters)


def _check_licences(porter: Porter, row: Row[Any]) -> None:
    """Raises what `check_new` does: nothing is fetched that will not be drawn."""
    with porter.sessions() as session:
        for error in licences.lapsed(session, [row]).values():
            raise error


def _keep(
    porter: Porter, session: Session, tenant_id: UUID, brought: "Brought | None", digest: str
) -> bool:
    """Whether the picture is here to stay; one that another job brought may have been erased."""
    if brought is None:
        return bool(uses.hold(session, tenant_id, [digest]))
    if intake.add_assets(session, [brought.asset]):
        porter.storage.put(brought.blob)
    return True


def _pay(settings: Settings, session: Session, job: Row[Any]) -> None:
    """What its campaign's budget says, now that it is known how large the picture is."""
    campaign = budgets.locked(session, job.campaign_id)
    if campaign is not None:
        model = CostModel(settings.rate_card, paces.read(session), settings.limits.whole_pixels)
        renditions = Parameters.model_validate(job.parameters).renditions
        foreseen = model.usage(job.lane, job.pixels, renditions)
        reserve = rounded(settings.rate_card, foreseen)
        budgets.resize(session, campaign, job, reserve)
        settle_budget(session, campaign)


def _twin(porter: Porter, row: Row[Any]) -> Row[Any] | None:
    if row.campaign_id is None:
        return None
    with porter.sessions() as session:
        return twins.twin(session, row.tenant_id, row.campaign_id, row.id, row.source)


def _wait(porter: Porter, row: Row[Any]) -> None:
    """Give the job back for a moment: who brings the picture brings it for both."""
    with porter.sessions.begin() as session:
        jobs.defer(session, Held(row.id, row.attempt), seconds=TWIN_SECONDS, by=porter.worker)


class Brought(NamedTuple):
    """A picture that was fetched and stored."""

    asset: NewAsset
    blob: Blob


def _fetched(porter: Porter, row: Row[Any], parameters: Parameters) -> Brought:
    """The picture, stored unless its output would be refused."""
    content = porter.fetch(row.source)
    limits = porter.settings.limits
    asset = look_at(content, tenant_id=row.tenant_id, limits=limits)
    output_pixels(limits, parameters, asset.width, asset.height)
    key = asset_key(row.tenant_id, asset.digest)
    blob = Blob(key, content, asset.media_type)
    with porter.tracer.step("storage.put"):
        porter.storage.put(blob)
    return Brought(asset, blob)


def _render_key(session: Session, row: Row[Any], digest: str, parameters: Parameters) -> str:
    version = session.scalars(
        select(StyleVersion).where(StyleVersion.id == row.style_version_id)
    ).one()
    return render_key(
        content=digest,
        style=pin(version),
        stylizer=version.stylizer_digest,
        parameters=parameters,
    )


def _give_up(porter: Porter, row: Row[Any], error: ImpastoError) -> dict[str, int]:
    held = Held(row.id, row.attempt)
    with porter.sessions.begin() as session:
        jobs.break_off(session, held, error, failures=row.failures, by=porter.worker)
    if events.written(session):
        porter.tickets.deliver()
    return {"broken": 1}
