"""Whether the licences behind work allow it: when accepted, claimed, approved and delivered."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Row,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.db.models import Job, StyleVersion, Tenant
from app.db.moves import move
from app.domain.job import JobStatus
from app.domain.licence import (
    Terms,
    Usage,
    check_period,
    check_tenant,
    check_usage,
    terms_of,
)
from app.domain.style import plain
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


@dataclass(frozen=True, slots=True)
class Clearance:
    """That a picture may be delivered, and how far that goes."""

    until: datetime | None = None  #: when it ends
    limited: bool = False  #: whether it depends on when or where


def check_new(
    session: Session, tenant_id: UUID, versions: Iterable[StyleVersion], usage: Usage
) -> None:
    """
    Whether new work may use these versions, all of them, as a mix does.

    Raises `StyleNotLicensed` or one of its kinds.
    """
    for version in versions:
        name, terms = _name(version), terms_of(version.card)
        check_standing(version, name)
        if terms.valid_from or terms.valid_until:
            check_period(terms, name, session.scalars(select(func.now())).one())
        if terms.tenants:
            tenant = session.get_one(Tenant, tenant_id)
            check_tenant(terms, name, tenant.name)
        check_usage(terms, name, usage)


def check_standing(version: Any, name: str) -> None:
    """Raises `StyleNotLicensed` for a version that was withdrawn, `StyleSuspended` for others."""
    if version.withdrawn_at is not None:
        raise StyleNotLicensed(f"{name} was withdrawn; choose another style.")
    if version.suspended_at is not None:
        raise StyleSuspended(f"{name} is suspended; choose another style, or ask its owner.")


def lapsed(session: Session, jobs: Sequence[Any]) -> dict[UUID, StyleNotLicensed]:
    """
    Those of these jobs whose licences no longer allow them, each with the reason; one statement.

    Of a job it needs `id`, `style_version_id`, `parameters` and `usage`.
    """
    if not jobs:
        return {}
    book = _Book(session, jobs)
    known: dict[str, StyleNotLicensed | None] = {}
    found = {}
    for job in jobs:
        key = json.dumps([str(job.style_version_id), _names(job), job.usage])
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
    its = (Job.tenant_id == tenant_id, Job.output_digest == digest)
    columns = (Job.id, Job.style_version_id, Job.parameters, Job.usage)
    jobs = session.execute(select(*columns).where(*its).order_by(Job.id.desc()).limit(MOST)).all()
    if not jobs:
        return Clearance()
    book = _Book(session, jobs)
    refusals = []
    for job in jobs:
        try:
            return book.clearance(job, territories)
        except StyleNotLicensed as error:
            refusals.append(error)
    newest = refusals[0]
    raise _KEPT_BACK[type(newest)](str(newest)) from newest


class _Book:
    """The versions behind some jobs, as they stand now."""

    def __init__(self, session: Session, jobs: Sequence[Any]) -> None:
        ids = {job.style_version_id for job in jobs}
        names = {tuple(name.rpartition("@")[::2]) for job in jobs for name in _names(job)}
        given = {"ids": list(ids), "slugs": [n[0] for n in names], "numbers": [n[1] for n in names]}
        rows = session.execute(_STANDING if not names else _MIXED, given).all()
        self._by_id = {row.id: row for row in rows}
        self._by_name = {(row.stylizer_digest, f"{row.slug}@{row.version}"): row for row in rows}

    def check(self, job: Any) -> None:
        for part in self._parts(job):
            name, terms = _name(part), self._terms(part)
            check_standing(part, name)
            check_period(terms, name, part.now)
            if job.usage is not None:
                check_usage(terms, name, Usage.model_validate(job.usage))

    def clearance(self, job: Any, territories: Sequence[str]) -> Clearance:
        self.check(job)
        parts = {_name(part): self._terms(part) for part in self._parts(job)}
        for name, terms in parts.items():
            for territory in territories:
                _check_place(terms, name, territory)
        ends = [terms.valid_until for terms in parts.values() if terms.valid_until]
        return Clearance(min(ends, default=None), any(terms.limited for terms in parts.values()))

    def _parts(self, job: Any) -> list[Any]:
        first = self._by_id[job.style_version_id]
        names = _names(job)
        return [self._by_name[first.stylizer_digest, name] for name in names] or [first]

    def _terms(self, part: Any) -> Terms:
        return Terms.model_validate(part.licence or {})


def _check_place(terms: Terms, name: str, territory: str) -> None:
    if terms.territories and territory not in terms.territories:
        allowed = ", ".join(terms.territories)
        raise TerritoryNotAllowed(f"{name} is licensed for {allowed}, not for {territory!r:.8}.")


def _refusal(check: Callable[[], None]) -> StyleNotLicensed | None:
    try:
        check()
    except StyleNotLicensed as error:
        return error
    return None


def _names(job: Any) -> list[str]:
    mix: Mapping[str, float] = job.parameters.get("mix") or {}
    return sorted(mix)


def _name(version: Any) -> str:
    return f"{plain(version.slug)}@{version.version}"


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

_BY_ID = """
SELECT id, slug, version, stylizer_digest, suspended_at, withdrawn_at,
    card -> 'licence' AS licence, now() AS now
FROM style_versions WHERE id = ANY(:ids)
"""
_BY_NAME = """
SELECT id, its.slug, its.version, stylizer_digest, suspended_at, withdrawn_at,
    card -> 'licence', now()
FROM unnest(CAST(:slugs AS text[]), CAST(:numbers AS int[])) AS named (slug, version)
JOIN style_versions AS its ON its.slug = named.slug AND its.version = named.version
"""
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_STANDING = text(_BY_ID).bindparams(_IDS).columns(id=Uuid, licence=JSONB)
_MIXED = text(f"{_BY_ID} UNION ALL {_BY_NAME}").bindparams(_IDS).columns(id=Uuid, licence=JSONB)

#: When a picture of `jobs` in `style_versions` may no longer be delivered; long ago for one whose
#: style is suspended. Null: never.
ENDS_AT_SQL: Final = """(CASE WHEN jobs.parameters ? 'mix' THEN (
    SELECT min(CASE WHEN part.suspended_at IS NULL THEN part.valid_until ELSE to_timestamp(0) END)
    FROM jsonb_object_keys(jobs.parameters -> 'mix') AS named
    JOIN style_versions AS part ON part.slug = split_part(named, '@', 1)
        AND part.version = CAST(split_part(named, '@', 2) AS int)
        AND part.stylizer_digest = style_versions.stylizer_digest)
WHEN style_versions.suspended_at IS NULL THEN style_versions.valid_until
ELSE to_timestamp(0) END)"""
ENDS_AT: Final[ColumnElement[datetime | None]] = literal_column(
    ENDS_AT_SQL, DateTime(timezone=True)
)
