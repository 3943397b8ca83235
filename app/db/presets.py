"""Presets of a tenant: versions are added, looked up and retired, and never changed."""

from collections.abc import Iterable, Sequence
from re import fullmatch
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.db.models import Preset
from app.domain.presets import Pinned, Presets, Template
from app.domain.renditions import PRESET
from app.errors import ClientError, NotFound, PresetRetired, UnknownPreset


def create(
    session: Session, tenant_id: UUID, name: str, template: Template, *, by: str
) -> tuple[Preset, bool]:
    """
    The next version, or the newest one if that says the same already; and whether it is new.

    Whoever says the same twice draws nothing twice: versions are part of render keys.
    """
    place = func.hashtextextended(f"preset {tenant_id} {name}", 0)
    session.execute(select(func.pg_advisory_xact_lock(place)))  # one next version at a time
    newest: Preset | None = session.scalars(_newest(tenant_id, name)).first()
    content = template.model_dump(mode="json", exclude_none=True)
    if newest is not None and newest.retired_at is None and newest.template == content:
        return newest, False
    number = 1 if newest is None else newest.version + 1
    preset = Preset(tenant_id=tenant_id, name=name, version=number, template=content, created_by=by)
    session.add(preset)
    session.flush()
    return preset, True


def get(session: Session, tenant_id: UUID, name: str, version: int | None) -> Preset:
    """That version, or the newest; retired ones, too. Raises `NotFound`, also for another's."""
    nothing = NotFound("There is no such preset; GET /v1/presets lists them.")
    if not fullmatch(PRESET, name):
        raise nothing
    its = _newest(tenant_id, name)
    if version is not None:
        its = its.where(Preset.version == version)
    found: Preset | None = session.scalars(its).first()
    if found is None:
        raise nothing
    return found


def listing(
    session: Session, tenant_id: UUID, *, name: str | None, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest version of each, or all versions of one; those that came last first."""
    wanted: list[ColumnElement[bool]] = [Preset.tenant_id == tenant_id]
    if name is None:
        later = aliased(Preset)
        same = and_(later.tenant_id == Preset.tenant_id, later.name == Preset.name)
        wanted.append(~select(later).where(same, later.version > Preset.version).exists())
    else:
        wanted.append(Preset.name == name)
    if before is not None:
        wanted.append(Preset.id < before)
    statement = select(Preset).where(*wanted).order_by(Preset.id.desc()).limit(limit)
    return session.execute(statement).all()


def retire(session: Session, tenant_id: UUID, name: str, version: int | None) -> int:
    """
    No new work under it, or under any version; what was accepted is done.

    Answers with how many versions were not retired before. Raises `NotFound`.
    """
    get(session, tenant_id, name, version)
    its = [Preset.tenant_id == tenant_id, Preset.name == name, Preset.retired_at.is_(None)]
    if version is not None:
        its.append(Preset.version == version)
    retired = update(Preset).where(*its).values(retired_at=func.now()).returning(Preset.id)
    return len(session.scalars(retired.execution_options(synchronize_session="fetch")).all())


def known(session: Session, tenant_id: UUID, wishes: Iterable[str | None]) -> Presets:
    """
    What the wishes of one request mean; without any, nobody is asked.

    Raises `UnknownPreset` or `PresetRetired`.
    """
    found, missing = find(session, tenant_id, wishes)
    for error in missing.values():
        raise error
    return Presets(found)


def find(
    session: Session, tenant_id: UUID, wishes: Iterable[str | None]
) -> tuple[dict[str, Pinned], dict[str, ClientError]]:
    """Those of these that there are, and why there are not the others."""
    wanted = {wish for wish in wishes if wish is not None}
    if not wanted:
        return {}, {}
    rows = session.scalars(_wished(tenant_id, wanted)).all()
    there = {_pin(row): row for row in rows}
    for row in sorted(rows, key=lambda row: row.version):
        if row.retired_at is None:
            there[row.name] = row
    found: dict[str, Pinned] = {}
    missing: dict[str, ClientError] = {}
    for wish in sorted(wanted):
        row = there.get(wish)
        if row is not None and row.retired_at is None:
            found[wish] = Pinned(_pin(row), Template.model_validate(row.template))
        elif row is not None or any(one.name == wish for one in rows):
            missing[wish] = PresetRetired(f"The preset {wish} is retired: it takes no new work.")
        else:
            missing[wish] = UnknownPreset(
                f"There is no preset {wish!r}; GET /v1/presets lists yours."
            )
    return found, missing


def _wished(tenant_id: UUID, wishes: Iterable[str]) -> Any:
    """Versions that are named, and of what is named without one the newest that is not retired."""
    ways: list[ColumnElement[bool]] = []
    for name, _, number in (wish.partition("@") for wish in wishes):
        if number:
            ways.append(and_(Preset.name == name, Preset.version == int(number)))
            continue
        its = (Preset.tenant_id == tenant_id, Preset.name == name)
        open_first = (Preset.retired_at.is_not(None), Preset.version.desc())
        ways.append(
            Preset.id
            == select(Preset.id)
            .where(*its)
            .order_by(*open_first)
            .limit(1)
            .correlate(None)
            .scalar_subquery()
        )
    return select(Preset).where(Preset.tenant_id == tenant_id, or_(*ways))


def _newest(tenant_id: UUID, name: str) -> Any:
    its = select(Preset).where(Preset.tenant_id == tenant_id, Preset.name == name)
    return its.order_by(Preset.version.desc()).limit(1)


def _pin(preset: Preset) -> str:
    return f"{preset.name}@{preset.version}"
