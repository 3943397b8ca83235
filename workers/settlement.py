"""What a group brought, written in one transaction: outcomes, assets, measurements, money."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from time import monotonic, perf_counter
from uuid import UUID

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import metrics
from app.db import budgets, costs, events, intake, jobs, queue, renditions
from app.db.costs import NewInference
from app.db.jobs import Success
from app.db.ledger import Bill
from app.db.renditions import NewRendition
from app.domain.job import JobStatus, Lane
from app.domain.terms import Review
from app.erasing import forget_unneeded
from app.errors import ImpastoError
from workers.hardware import peak_bytes
from workers.studio import Finished, Picture, Work, Workplace, changed

log = logging.getLogger(__name__)


def settle(place: Workplace, group: Sequence[Work], *, look: bool = False) -> dict[str, int]:
    """
    Store the pictures, then write what became of the group: no row before its bytes.

    `look`: wake somebody if jobs may have waited for one of these pictures; without it, somebody
    has been woken already.

    Written again if the database was away for a moment.

    A COMMIT whose answer was lost is written twice: the second time the fence finds nothing
    to do. After two leases the jobs are the sweep's, and the error is raised.
    """
    _store(place, group)
    _charge(place, group)
    deadline = monotonic() + 2 * place.worker_settings.lease_seconds
    while True:
        try:
            return _write(place, group, look)
        except OperationalError as error:
            if monotonic() > deadline:
                raise
            log.warning("the database is away, trying again: %s", error)
            place.leases.rest(1.0)


def _charge(place: Workplace, group: Sequence[Work]) -> None:
    """Whose turn it is follows what was measured, not what was foreseen."""
    for work in group:
        if work.picture is not None:
            more = work.picture.cost.own_ms - work.foreseen_ms
            place.tally.corrected(work.row.lane, work.row.tenant_id, more)


def _store(place: Workplace, group: Sequence[Work]) -> None:
    """All pictures in one go; a store that is away breaks them all, and they are tried again."""
    start = perf_counter()
    pictures = [work for work in group if work.picture]
    spans = [work.span for work in pictures]
    try:
        with place.tracer.amid(spans), place.tracer.step("storage.put"):
            place.storage.put(*(file.blob for work in pictures for file in work.files))
    except ImpastoError as error:
        for work in pictures:
            work.picture, work.error = None, error
    for work in pictures:
        work.timings["store"] = (perf_counter() - start) / len(pictures)


def _write(place: Workplace, group: Sequence[Work], look: bool) -> dict[str, int]:
    done = [(work, work.picture) for work in group if work.picture]
    broken = [(work, work.error) for work in group if work.error]
    with place.sessions.begin() as session:
        _keep(place, session, [file for work, _ in done for file in work.files])
        ended = jobs.succeed(session, [_success(place, *pair) for pair in done], by=place.worker)
        renditions.add(session, [part for work, _ in done for part in _parts(work, ended)])
        measured = [_inference(place, *pair) for pair in done if pair[0].held.id in ended]
        costs.add(session, measured)
        for work, _ in done:
            if work.also is not None and work.held.id in ended:
                work.also(session)
        _forget_late(place, session, [pair for pair in done if pair[0].held.id not in ended])
        failed = {work.held.id for work, error in broken if _break_off(place, session, work, error)}
        lanes = _waiting(session, done) if look else set()
    over = ended | failed
    for work, picture in done:
        if work.held.id in ended:
            _tell(work, picture)
            tiled = work.commission is not None
            pixels = picture.asset.width * picture.asset.height
            place.meter.drawn(work.row.lane, pixels, work.drawn_usage, tiled=tiled)
    place.announce(changed([work.row for work in group if work.held.id in over]))
    if events.written(session):
        place.tickets.deliver()
    for lane in lanes | set(budgets.let_in(session)):
        place.tickets.work(lane)
    return {"claimed": len(group), "succeeded": len(ended), "broken": len(broken)}


def _tell(work: Work, picture: Picture) -> None:
    metrics.seen(list(work.timings.items()))
    metrics.signed.inc(picture.signatures)
    for warning in work.warnings:
        metrics.quality.labels(warning).inc()


def _keep(place: Workplace, session: Session, files: Sequence[Finished]) -> None:
    """Write their assets; the bytes of those that had been erased are stored once more."""
    if back := intake.add_assets(session, [file.asset for file in files]):
        place.storage.put(*(one.blob for one in files if one.asset.digest in back))


def _forget_late(place: Workplace, session: Session, late: Sequence[tuple[Work, Picture]]) -> None:
    """
    Pictures of jobs that were canceled meanwhile, maybe in order to be erased, go at once.

    Those of jobs that somebody else holds stay: he may be about to bring the same ones.
    """
    if not late:
        return
    canceled = jobs.canceled(session, [work.held.id for work, _ in late])
    digests: defaultdict[UUID, set[str]] = defaultdict(set)
    for work, _ in late:
        if work.held.id in canceled:
            digests[work.row.tenant_id] |= {file.asset.digest for file in work.files}
    for tenant_id, its in digests.items():
        try:
            forget_unneeded(session, place.storage, tenant_id, its)
        except ImpastoError as error:  # the others of the group are worth more
            log.warning("late pictures of canceled jobs stay in the store: %s", error)


def _break_off(place: Workplace, session: Session, work: Work, error: ImpastoError) -> bool:
    """Whether that was the end of the job."""
    failures = work.row.failures
    to = jobs.break_off(session, work.held, error, failures=failures, by=place.worker)
    return to is JobStatus.FAILED


def _success(place: Workplace, work: Work, picture: Picture) -> Success:
    timings = {stage: round(1000 * seconds, 3) for stage, seconds in work.timings.items()}
    return Success(
        held=work.held,
        output_digest=picture.asset.digest,
        cost_micros=place.till.price(place.rate_card, work.row.tenant_id, work.usage),
        timings=json.dumps(timings),
        bill=Bill(work.usage, place.rate_card.name),
        warnings=work.warnings,
        review=_to_be_seen(work, work.warnings),
    )


def _parts(work: Work, ended: set[UUID]) -> Iterator[NewRendition]:
    """The rows of its renditions, if it was this attempt that counted."""
    if work.held.id not in ended:
        return
    for place, (name, file) in enumerate(work.renditions.items()):
        yield NewRendition(
            job_id=work.held.id,
            name=name,
            place=place,
            tenant_id=work.row.tenant_id,
            digest=file.asset.digest,
            manifest_label=file.sealed.label,
            manifest_digest=file.sealed.manifest,
            certificate_digest=file.sealed.certificate,
        )


def _to_be_seen(work: Work, warnings: Sequence[str]) -> bool:
    rule = work.row.review
    return rule is not None and Review.parse(rule).wants(work.held.id, warnings)


def _waiting(session: Session, done: Sequence[tuple[Work, Picture]]) -> set[Lane]:
    """Lanes in which somebody may have waited for one of these pictures."""
    lanes = {work.row.lane for work, _ in done if work.row.cache_key is not None}
    return {lane for lane in lanes if queue.waits(session, lane)}


def _inference(place: Workplace, work: Work, picture: Picture) -> NewInference:
    sealed = picture.sealed
    return NewInference(
        job_id=work.held.id,
        attempt=work.held.attempt,
        device=place.device,
        engine=place.engine,
        stylizer_digest=place.stylizer or "",
        batch_size=picture.cost.batch_size,
        device_ms=picture.cost.device_ms,
        pixel_share=picture.cost.pixel_share,
        worker=place.worker,
        hardware=place.hardware,
        software=place.software,
        image=place.image,
        peak_bytes=peak_bytes(),
        drawn_digest=sealed.drawn or picture.asset.digest,
        manifest_label=sealed.label,
        manifest_digest=sealed.manifest,
        certificate_digest=sealed.certificate,
        certificate_serial=sealed.serial,
        stamped_at=sealed.stamped_at,
    )
