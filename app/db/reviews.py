"""Reviews: what waits for a person's word, and what follows from it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app.db import jobs, licences, reading, renditions
from app.db.models import Asset, AssetKind, Job, StyleVersion
from app.db.moves import move
from app.domain.job import SHOWING, JobStatus
from app.domain.review import Decision, ReviewQuery, Verdict
from app.domain.style import NAME, owned
from app.errors import AwaitingReview, IllegalTransition, NotFound, OutputRejected

_ENDS = {Decision.APPROVE: JobStatus.SUCCEEDED, Decision.REJECT: JobStatus.REJECTED}


def decide(session: Session, tenant_id: UUID, job_id: UUID, verdict: Verdict, *, by: str) -> None:
    """
    One job's output is delivered, or never will be.

    Raises `NotFound`, `IllegalTransition` for one that does not wait for a reviewer, and where
    it is approved after its style's licence lapsed, what that says.
    """
    if verdict.decision is Decision.APPROVE:
        licences.check_terms(session, tenant_id, [job_id])
    its = (Job.id == job_id, Job.tenant_id == tenant_id)
    if not _end(session, verdict, by, *its):
        status = jobs.get(session, tenant_id, job_id).status
        raise IllegalTransition(f"Job {job_id} is {status}: it does not wait for a reviewer.")


def decide_all(
    session: Session, tenant_id: UUID, query: ReviewQuery, verdict: Verdict, *, by: str
) -> int:
    """
    The same for all that the query finds. Answers with how many.

    Where a style's licence lapsed its pictures are not approved, and go on waiting.
    """
    its = select(Job.id, Job.style_version_id, Job.parameters, Job.usage)
    found = its.where(*_waiting(tenant_id, query)).order_by(Job.id).with_for_update()
    rows = session.execute(found).all()
    kept = licences.lapsed(session, rows) if verdict.decision is Decision.APPROVE else {}
    ids = [row.id for row in rows if row.id not in kept]
    return _end(session, verdict, by, Job.id.in_(ids)) if ids else 0


def count(session: Session, tenant_id: UUID, query: ReviewQuery) -> int:
    """How many `decide_all` would decide on now."""
    return session.scalar(select(func.count(Job.id)).where(*_waiting(tenant_id, query))) or 0


def wanted(
    tenant_id: UUID, query: ReviewQuery, *, after: UUID | None = None
) -> list[ColumnElement[bool]]:
    """What the pages of `app.db.reading.reviews` hold."""
    where = _waiting(tenant_id, query)
    return where if after is None else [*where, Job.id > after]


def output(session: Session, tenant_id: UUID, job_id: UUID, rendition: str | None = None) -> Asset:
    """
    A job's output, or one of its renditions, for its reviewer.

    Raises `NotFound` while there is none, or `Erased`.
    """
    job = jobs.get(session, tenant_id, job_id)
    if job.output_digest is None or job.status not in SHOWING:
        raise NotFound(f"Job {job_id} is {job.status} and has no output.")
    digest = job.output_digest
    if rendition is not None:
        digest = renditions.get(session, job, rendition).digest
    return reading.asset(session, tenant_id, digest)


def check_deliverable(session: Session, asset: Asset) -> None:
    """
    Raises `AwaitingReview` or `OutputRejected` for an output that no job delivers.

    Equal bytes that another job delivered are delivered: they are out already.
    """
    if asset.kind is not AssetKind.OUTPUT:
        return
    made = renditions.made(asset.tenant_id, asset.digest)
    ends = set(session.scalars(select(Job.status).where(made).distinct()))
    if not ends or JobStatus.SUCCEEDED in ends:
        return
    if JobStatus.IN_REVIEW in ends:
        raise AwaitingReview("The picture waits for a reviewer; GET /v1/reviews lists what does.")
    raise OutputRejected("A reviewer rejected the picture; the job says why.")


def _end(session: Session, verdict: Verdict, by: str, *which: ColumnElement[bool]) -> int:
    # The status itself, and not only by way of the transition: a running job is no reviewer's.
    waits = Job.status == JobStatus.IN_REVIEW
    to, kept = _ENDS[verdict.decision], verdict.kept(by)
    return len(move(session, to, waits, *which, by=by, note=verdict.said, verdict=kept))


def _waiting(tenant_id: UUID, query: ReviewQuery) -> list[ColumnElement[bool]]:
    where = [Job.tenant_id == tenant_id, Job.status == JobStatus.IN_REVIEW]
    if query.campaign_id is not None:
        where.append(Job.campaign_id == query.campaign_id)
    if query.custom_id_prefix is not None:
        where.append(Job.custom_id.startswith(query.custom_id_prefix, autoescape=True))
    if query.warning is not None:
        where.append(Job.warnings.contains([query.warning]))
    if query.style is not None:
        where.append(Job.style_version_id.in_(_versions(tenant_id, query.style)))
    return where


def _versions(tenant_id: UUID, name: str) -> Any:
    """Of everybody's style of that name and the tenant's own; all versions, unless it says one."""
    match = NAME.fullmatch(name)
    slug, number = match.groups() if match else (name, None)
    of = or_(StyleVersion.slug == slug, StyleVersion.slug == owned(tenant_id, slug))
    found = select(StyleVersion.id).where(of)
    return found.where(StyleVersion.version == int(number)) if number else found
