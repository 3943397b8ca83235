"""Styles as callers name them, and the versions behind the names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.db.models import Style, StyleVersion, Stylizer
from app.domain import mix
from app.domain.mix import Mix
from app.errors import InvalidRequest, UnknownStyle

NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,62})(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, slots=True)
class Look:
    """A style as asked for, pinned: a version, and the shares where there are several."""

    version: StyleVersion  #: of a mix, the one with the largest share
    mix: Mix | None = None


def resolve(session: Session, wanted: Iterable[str], *, stylizer: str) -> dict[str, Look]:
    """
    The look behind each wish: `great-wave@2` is that version, `great-wave` the newest.

    Wishes may be mixes. Only versions for `stylizer` (a digest, or "" for any) count. Raises
    `UnknownStyle`, and `InvalidRequest` for a mix that is none.
    """
    shares = {wish: _shares(wish) for wish in set(wanted)}
    names = {name for one in shares.values() for name in one}
    versions = {name: _version(session, name, stylizer) for name in names}
    return {wish: _look(one, versions) for wish, one in shares.items()}


def _shares(wish: str) -> Mix:
    try:
        return mix.parse(wish)
    except ValueError as error:
        raise _no_mix(str(error)) from error


def _look(shares: Mix, versions: dict[str, StyleVersion]) -> Look:
    pinned = {_pin(versions[name]): versions[name] for name in shares}
    if len({version.stylizer_digest for version in pinned.values()}) > 1:
        raise _no_mix(f"{' and '.join(pinned)} belong to different stylizers; mix styles of one")
    if len(pinned) < len(shares):
        raise _no_mix(f"two of the names mean the same version, one of {', '.join(pinned)}")
    if len(pinned) == 1:
        return Look(next(iter(pinned.values())))
    settled = mix.settled(dict(zip(pinned, shares.values(), strict=True)))
    return Look(pinned[next(iter(settled))], settled)


def _pin(version: StyleVersion) -> str:
    return f"{version.slug}@{version.version}"


def _no_mix(detail: str) -> InvalidRequest:
    return InvalidRequest(f"style: {detail}.", errors=[{"pointer": "/style", "detail": detail}])


def _version(session: Session, name: str, stylizer: str) -> StyleVersion:
    match = NAME.fullmatch(name)
    if match is None:
        raise UnknownStyle(f"{name[:80]!r} is not a style's name; GET /v1/styles lists them.")
    slug, number = match.groups()
    statement = select(StyleVersion).where(StyleVersion.slug == slug)
    if stylizer:
        statement = statement.where(StyleVersion.stylizer_digest == stylizer)
    if number:
        statement = statement.where(StyleVersion.version == int(number))
    newest = statement.order_by(StyleVersion.version.desc(), StyleVersion.id.desc()).limit(1)
    version = session.scalars(newest).first()
    if version is None:
        raise UnknownStyle(f"There is no style {name!r}; GET /v1/styles lists them.")
    return version


def listing(session: Session, *, stylizer: str = "", slug: str = "") -> Sequence[Row[Any]]:
    """
    Versions with their style and stylizer but without their numbers: by name, newest first.

    `stylizer` (a digest) and `slug` leave only theirs.
    """
    statement: Any = (
        select(
            StyleVersion.slug,
            StyleVersion.version,
            StyleVersion.card,
            Style.title,
            Stylizer.name.label("stylizer_name"),
            Stylizer.version.label("stylizer_version"),
        )
        .join(Style, Style.slug == StyleVersion.slug)
        .join(Stylizer, Stylizer.digest == StyleVersion.stylizer_digest)
        .order_by(StyleVersion.slug, StyleVersion.version.desc(), StyleVersion.id.desc())
    )
    if stylizer:
        statement = statement.where(StyleVersion.stylizer_digest == stylizer)
    if slug:
        statement = statement.where(StyleVersion.slug == slug)
    rows: Sequence[Row[Any]] = session.execute(statement).all()
    return rows
