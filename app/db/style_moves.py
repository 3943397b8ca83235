"""How a style version goes on after it is learned: reviewed, offered, stopped, taken back."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import audit
from app.db.models import StyleHistory, StyleVersion
from app.db.styles import pin
from app.domain.style import STYLE_MOVES, StyleMove, StyleStatus, plain
from app.errors import FourEyes, NotFound, StyleNotReady, StyleTransition


def move(
    session: Session,
    slug: str,
    version: int | None,
    what: StyleMove,
    *,
    by: str,
    reason: str | None = None,
    four_eyes: bool = True,
) -> int:
    """
    Move one version of a style, the newest unless one is given, for all its stylizers.

    `by` is who does it: `key:<prefix>` or `operator:<name>`. Answers with the version's number.
    Doing it twice does nothing more. Raises `NotFound`, `StyleNotReady` for one that is still
    learning, `StyleTransition`, and with `four_eyes` `FourEyes` for an activation by whoever
    asked for the review.
    """
    found = _locked(session, slug, version)
    for one in found:
        if _done(one, what):
            continue
        _check(one, what, four_eyes=four_eyes)
        if four_eyes and what is StyleMove.ACTIVATE:
            _check_other(session, one, by)
        _carry_out(one, what)
        _record(session, one, what, by, reason)
    return found[0].version


def history(session: Session, slug: str, version: int) -> Sequence[StyleHistory]:
    """What became of a version, oldest first; read of one stylizer's, for all go together."""
    versions = select(StyleVersion.id).where(
        StyleVersion.slug == slug, StyleVersion.version == version
    )
    first = versions.order_by(StyleVersion.id).limit(1).scalar_subquery()
    statement = select(StyleHistory).where(StyleHistory.style_version_id == first)
    return session.scalars(statement.order_by(StyleHistory.id)).all()


def _locked(session: Session, slug: str, version: int | None) -> Sequence[StyleVersion]:
    if version is None:
        newest = select(func.max(StyleVersion.version)).where(StyleVersion.slug == slug)
        version = session.scalar(newest)
    its = (StyleVersion.slug == slug, StyleVersion.version == version)
    statement = select(StyleVersion).where(*its).order_by(StyleVersion.id).with_for_update()
    found = session.scalars(statement).all()
    if not found:
        raise NotFound("You have no such style; GET /v1/styles lists them.")
    return found


def _done(version: StyleVersion, what: StyleMove) -> bool:
    """Whether that move was made before, and nothing since."""
    if what is StyleMove.WITHDRAW:
        return version.withdrawn_at is not None
    return version.status is STYLE_MOVES[what][1]


def _check(version: StyleVersion, what: StyleMove, *, four_eyes: bool) -> None:
    name = f"{plain(pin(version))}"
    if version.status is StyleStatus.LEARNING:
        raise StyleNotReady(f"{name} has not been learned; GET /v1/styles/{plain(version.slug)}.")
    if what is StyleMove.REINSTATE and version.withdrawn_at is not None:
        raise StyleTransition(f"{name} was withdrawn for good; a new version can be offered.")
    sources = STYLE_MOVES[what][0]
    if what is StyleMove.ACTIVATE and not four_eyes:
        sources |= {StyleStatus.DRAFT}
    if what is StyleMove.WITHDRAW:
        sources |= {StyleStatus.RETIRED}
    if version.status not in sources:
        such = " or ".join(sorted(sources))
        raise StyleTransition(f"{name} is {version.status}; {what} is for what is {such}.")


def _check_other(session: Session, version: StyleVersion, by: str) -> None:
    asked = (
        select(StyleHistory.by)
        .where(StyleHistory.style_version_id == version.id, StyleHistory.move == StyleMove.SUBMIT)
        .order_by(StyleHistory.id.desc())
        .limit(1)
    )
    if session.scalar(asked) == by:
        raise FourEyes("You asked for this review yourself; another key has to activate the style.")


def _carry_out(version: StyleVersion, what: StyleMove) -> None:
    if not (what is StyleMove.WITHDRAW and version.status is StyleStatus.RETIRED):
        version.status = STYLE_MOVES[what][1]
    if what in (StyleMove.SUSPEND, StyleMove.WITHDRAW):
        version.suspended_at = version.suspended_at or func.now()
    if what is StyleMove.WITHDRAW:
        version.withdrawn_at = func.now()
    if what is StyleMove.REINSTATE:
        version.suspended_at = None


def _record(
    session: Session, version: StyleVersion, what: StyleMove, by: str, reason: str | None
) -> None:
    """The one place that writes down who moved a style and why."""
    session.add(
        StyleHistory(
            style_version_id=version.id, move=what, status=version.status, by=by, reason=reason
        )
    )
    session.flush()
    owner, _, name = pin(version).rpartition("/")
    audit.record(
        session,
        UUID(owner) if owner else None,
        by=by,
        action=f"style.{_PAST[what]}",
        target=f"style:{name}",
    )


_PAST: Final = {
    StyleMove.SUBMIT: "submitted-for-review",
    StyleMove.ACTIVATE: "activated",
    StyleMove.SUSPEND: "suspended",
    StyleMove.REINSTATE: "reinstated",
    StyleMove.RETIRE: "retired",
    StyleMove.WITHDRAW: "withdrawn",
}
