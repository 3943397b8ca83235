"""Whether the licences behind work allow it: when accepted, claimed, approved and delivered."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from app.db import renditions
from app.db.models import Job, StyleVersion, Tenant
from app.db.moves import move
from app.db.standings import Book, Clearance, check_standing, name_of, parts_of
from app.domain.job import JobStatus
from app.domain.licence import (
    Usage,
    check_period,
    check_tenant,
    check_usage,
    terms_of,
)
from app.errors import (
    ChannelNotAllowed,
    ChannelWithheld,
    ExpiredWithheld,
    LicenceExpired,
    NotLicensedWithheld,
    StyleNotLicensed,
    StyleSuspended,
    SuspendedWithheld,
    TerritoryNotAllowed,
    TerritoryWithheld,
)

MOST: Final = 20  #: jobs looked at behind one picture: equal bytes come from equal requests


def check_new(
    session: Session, tenant_id: UUID, versions: Iterable[StyleVersion], usage: Usage
) -> None:
    """
    Whether new work may use these versions, all of them, as a mix does.

    Raises `StyleNotLicensed` or one of its kinds.
    """
    for version in versions:
        name, terms = name_of(version), terms_of(version.card)
        check_standing(version, name)
        if terms.valid_from or terms.valid_until:
            check_period(terms, name, session.scalars(select(func.now())).one())
        if terms.tenants:
            tenant = session.get_one(Tenant, tenant_id)
            check_tenant(terms, name, tenant.name)
        check_usage(terms, name, usage)


def lapsed(session: Session, jobs: Sequence[Any]) -> dict[UUID, StyleNotLicensed]:
    """
    Those of these jobs whose licences no longer allow them, each with the reason; one statement.

    Of a job it needs `id`, `style_version_id`, `parameters` and `usage`.
    """
    if not jobs:
        return {}
    book = Book(session, jobs)
    known: dict[str, StyleNotLicensed | None] = {}
    found = {}
    for job in jobs:
        key = json.dumps([str(job.style_version_id), parts_of(job), job.usage])
        if key not in known:
            known[key] = _refusal(lambda: book.check(job))  # noqa: B023 - called at once
        if (error := known[key]) is not None:
            found[job.id] = error
    return found


def refuse_lapsed(session: Session, rows: Sequence[Row[Any]], *, by: str) -> set[UUID]:
    """Fail those of a claim whose licences have lapsed since they were accepted: nothing is due."""
    reasons: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
    for job_id, error in lapsed(session, rows).items():
        reasons[error.code, str(error)].append(job_id)
    for (code, detail), ids in reasons.items():
        mine = Job.id.in_(ids)
        move(
            session,
            JobStatus.FAILED,
            mine,
            by=by,
            note=code,
            error_code=code,
            error_detail=detail,
        )
    return {job_id for ids in reasons.values() for job_id in ids}


def check_terms(session: Session, tenant_id: UUID, job_ids: Iterable[UUID]) -> None:
    """
    Whether these jobs' pictures may be approved. Raises what `check_new` does, for the first one.

    For many at once ask `lapsed`, and keep back those that it names.
    """
    its = (Job.tenant_id == tenant_id, Job.id.in_(list(job_ids)))
    columns = (Job.id, Job.style_version_id, Job.parameters, Job.usage)
    rows = session.execute(select(*columns).where(*its).order_by(Job.id)).all()
    for error in lapsed(session, rows).values():
        raise error


def check_delivery(
    session: Session, tenant_id: UUID, digest: str, territories: Sequence[str] = ()
) -> Clearance:
    """
    Whether a finished picture may leave, to these territories as far as they are known.

    One that several requests came to may leave if one of them may. Raises a `Withheld`.
    """
    its = renditions.made(tenant_id, digest)
    columns = (Job.id, Job.style_version_id, Job.parameters, Job.usage)
    jobs = session.execute(select(*columns).where(its).order_by(Job.id.desc()).limit(MOST)).all()
    if not jobs:
        return Clearance()
    book = Book(session, jobs)
    refusals = []
    for job in jobs:
        try:
            return book.clearance(job, territories)
        except StyleNotLicensed as error:
            refusals.append(error)
    newest = refusals[0]
    raise _KEPT_BACK[type(newest)](str(newest)) from newest


def _refusal(check: Callable[[], None]) -> StyleNotLicensed | None:
    try:
        check()
    except StyleNotLicensed as error:
        return error
    return None


_KEPT_BACK: Final[dict[type[StyleNotLicensed], type[StyleNotLicensed]]] = {
    StyleNotLicensed: NotLicensedWithheld,
    StyleSuspended: SuspendedWithheld,
    LicenceExpired: ExpiredWithheld,
    TerritoryNotAllowed: TerritoryWithheld,
    ChannelNotAllowed: ChannelWithheld,
}

UNLICENSED: Final[tuple[type[StyleNotLicensed], ...]] = tuple(
    _KEPT_BACK
)  #: all that `check_new` raises
WITHHELD: Final[tuple[type[StyleNotLicensed], ...]] = tuple(
    _KEPT_BACK.values()
)  #: all that `check_delivery` raises
