"""How the style versions behind work stand now: their terms, and whether they were stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, DateTime, Uuid, bindparam, literal_column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.domain.licence import Terms, Usage, check_period, check_usage
from app.domain.style import plain
from app.errors import StyleNotLicensed, StyleSuspended, TerritoryNotAllowed


@dataclass(frozen=True, slots=True)
class Clearance:
    """That a picture may be delivered, and how far that goes."""

    until: datetime | None = None  #: when it ends
    limited: bool = False  #: whether it depends on when or where


def check_standing(version: Any, name: str) -> None:
    """Raises `StyleNotLicensed` for a version that was withdrawn, `StyleSuspended` for others."""
    if version.withdrawn_at is not None:
        raise StyleNotLicensed(f"{name} was withdrawn; choose another style.")
    if version.suspended_at is not None:
        raise StyleSuspended(f"{name} is suspended; choose another style, or ask its owner.")


class Book:
    """The versions behind some jobs, as they stand now."""

    def __init__(self, session: Session, jobs: Sequence[Any]) -> None:
        ids = {job.style_version_id for job in jobs}
        names = {tuple(name.rpartition("@")[::2]) for job in jobs for name in parts_of(job)}
        given = {"ids": list(ids), "slugs": [n[0] for n in names], "numbers": [n[1] for n in names]}
        rows = session.execute(_STANDING if not names else _MIXED, given).all()
        self._by_id = {row.id: row for row in rows}
        self._by_name = {(row.stylizer_digest, f"{row.slug}@{row.version}"): row for row in rows}

    def check(self, job: Any) -> None:
        """Whether its licences still allow a job. Raises `StyleNotLicensed` or one of its kinds."""
        for part in self._parts(job):
            name, terms = name_of(part), self._terms(part)
            check_standing(part, name)
            check_period(terms, name, part.now)
            if job.usage is not None:
                check_usage(terms, name, Usage.model_validate(job.usage))

    def clearance(self, job: Any, territories: Sequence[str]) -> Clearance:
        """Whether its picture may go to these territories, and for how long. Raises as `check`."""
        self.check(job)
        parts = {name_of(part): self._terms(part) for part in self._parts(job)}
        for name, terms in parts.items():
            for territory in territories:
                _check_place(terms, name, territory)
        ends = [terms.valid_until for terms in parts.values() if terms.valid_until]
        return Clearance(min(ends, default=None), any(terms.limited for terms in parts.values()))

    def _parts(self, job: Any) -> list[Any]:
        first = self._by_id[job.style_version_id]
        names = parts_of(job)
        return [self._by_name[first.stylizer_digest, name] for name in names] or [first]

    def _terms(self, part: Any) -> Terms:
        return Terms.model_validate(part.licence or {})


def _check_place(terms: Terms, name: str, territory: str) -> None:
    if terms.territories and territory not in terms.territories:
        allowed = ", ".join(terms.territories)
        raise TerritoryNotAllowed(f"{name} is licensed for {allowed}, not for {territory!r:.8}.")


def parts_of(job: Any) -> list[str]:
    """The pinned styles of a mix; none for one style alone."""
    mix: Mapping[str, float] = job.parameters.get("mix") or {}
    return sorted(mix)


def name_of(version: Any) -> str:
    """As its owner would pin it."""
    return f"{plain(version.slug)}@{version.version}"


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
