"""Styles as callers name them, and the versions behind the names."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.db.models import Style, StyleVersion, Stylizer
from app.errors import UnknownStyle

NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,62})(?:@([1-9][0-9]{0,8}))?")


def resolve(session: Session, names: Iterable[str], *, stylizer: str) -> dict[str, StyleVersion]:
    """
    The version behind each name: `great-wave@2` is that one, `great-wave` the newest.

    Only versions for `stylizer` (a digest, or "" for any) count. Raises `UnknownStyle`.
    """
    return {name: _version(session, name, stylizer) for name in set(names)}


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
