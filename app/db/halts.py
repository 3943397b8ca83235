"""What operators have told to take no work: claims pass it by, what runs is finished."""

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db import audit
from app.db.models import Halt, HaltKind, StyleVersion
from app.domain.job import Lane
from app.errors import BadRequest, NotFound

#: What the audit log calls it, when it begins and when it ends.
_TOLD: Final = {
    HaltKind.WORKER: ("worker.drained", "worker.resumed"),
    HaltKind.LANE: ("lane.paused", "lane.resumed"),
    HaltKind.STYLE: ("style.paused", "style.resumed"),
}
_STYLE = re.compile(r"([a-z0-9/-]+?)(?:@([1-9][0-9]{0,8}))?")


def names_of(worker: str) -> list[str]:
    """What a worker may be called: itself, its device on its host, its host."""
    place = worker.rsplit(":", 2)[0] if worker.count(":") >= 2 else worker
    return [worker, place, place.rpartition("@")[2]]


def halt(session: Session, kind: HaltKind, target: str, *, by: str, reason: str) -> bool:
    """
    From the commit on no claim takes its work; twice is once.

    Answers with whether it went on until now. Raises `NotFound` for a style nobody knows.
    """
    versions = _versions(session, target) if kind is HaltKind.STYLE else []
    row = {
        "kind": kind,
        "target": target,
        "versions": [version.id for version in versions],
        "pins": sorted({f"{version.slug}@{version.version}" for version in versions}),
        "reason": reason,
        "by": by,
    }
    new = insert(Halt).values(row).on_conflict_do_nothing().returning(Halt.target)
    if session.scalars(new).first() is None:
        return False
    told = {"reason": reason} if reason else {}
    audit.record(session, None, by=by, action=_TOLD[kind][0], target=target, details=told)
    return True


def resume(session: Session, kind: HaltKind, target: str, *, by: str) -> None:
    """Let it go on. Raises `NotFound` for what was not halted under that name."""
    its = (Halt.kind == kind, Halt.target == target)
    if session.scalars(delete(Halt).where(*its).returning(Halt.target)).first() is None:
        raise NotFound(f"No {kind} {target!r} was told to stop; `impasto ops lanes` lists them.")
    audit.record(session, None, by=by, action=_TOLD[kind][1], target=target)


def kind_of(target: str) -> HaltKind:
    """A lane's name is a lane; anything else is a style. Raises `BadRequest` for neither."""
    if target in list(Lane):
        return HaltKind.LANE
    if _STYLE.fullmatch(target) is None:
        lanes = ", ".join(Lane)
        raise BadRequest(f"{target!r} is no lane ({lanes}) and no style (great-wave@1).")
    return HaltKind.STYLE


def listing(session: Session) -> Sequence[Halt]:
    """Everything that is halted, oldest first."""
    return session.scalars(select(Halt).order_by(Halt.at, Halt.kind, Halt.target)).all()


def _versions(session: Session, target: str) -> Sequence[StyleVersion]:
    match = _STYLE.fullmatch(target)
    slug, number = match.groups() if match else (target, None)
    statement = select(StyleVersion).where(StyleVersion.slug == slug)
    if number:
        statement = statement.where(StyleVersion.version == int(number))
    found = session.scalars(statement.order_by(StyleVersion.id)).all()
    if not found:
        raise NotFound(f"There is no style {target!r}; `impasto styles list` lists them.")
    return found
