"""Styles as callers name them, and the versions behind the names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.models import Job, Style, StyleVersion, Stylizer, Tenant
from app.db.standings import check_standing
from app.domain import mix
from app.domain.job import Lane
from app.domain.licence import terms_of
from app.domain.mix import Mix
from app.domain.style import NAME, StyleStatus, owned, plain
from app.errors import Conflict, InvalidRequest, NotFound, UnknownStyle


@dataclass(frozen=True, slots=True)
class Look:
    """A style as asked for, pinned: a version, and the shares where there are several."""

    version: StyleVersion  #: of a mix, the one with the largest share
    mix: Mix | None
    parts: Sequence[StyleVersion]  #: all that take part


_active = StyleVersion.status == StyleStatus.ACTIVE

#: What makes a version active that is not yet.
_WAY_OUT = {
    StyleStatus.DRAFT: "POST /v1/styles/{name}/submit-for-review, then activate.",
    StyleStatus.REVIEW: "POST /v1/styles/{name}/activate by somebody else.",
}
_LISTED = "GET /v1/styles lists those that are."


def resolve(
    session: Session, wanted: Iterable[str], *, stylizer: str, tenant_id: UUID
) -> dict[str, Look]:
    """
    The look behind each wish: `great-wave@2` is that version, `great-wave` the newest.

    A tenant's own style comes before everybody's of the same name. Wishes may be mixes. Only
    active versions for `stylizer` (a digest, or "" for any) count. Raises `UnknownStyle`, and
    `InvalidRequest` for a mix that is none.
    """
    shares = {wish: _shares(wish) for wish in set(wanted)}
    names = {name for one in shares.values() for name in one}
    versions = {name: _version(session, name, stylizer, tenant_id) for name in names}
    return {wish: _look(one, versions) for wish, one in shares.items()}


def pin(version: StyleVersion) -> str:
    """The name that means this version alone, of everybody's styles and all tenants'."""
    return f"{version.slug}@{version.version}"


def _shares(wish: str) -> Mix:
    try:
        return mix.parse(wish)
    except ValueError as error:
        raise _no_mix(str(error)) from error


def _look(shares: Mix, versions: dict[str, StyleVersion]) -> Look:
    pinned = {pin(versions[name]): versions[name] for name in shares}
    names = list(map(plain, pinned))
    if len({version.stylizer_digest for version in pinned.values()}) > 1:
        raise _no_mix(f"{' and '.join(names)} belong to different stylizers; mix styles of one")
    if len(pinned) < len(shares):
        raise _no_mix(f"two of the names mean the same version, one of {', '.join(names)}")
    parts = list(pinned.values())
    if len(pinned) == 1:
        return Look(parts[0], None, parts)
    settled = mix.settled(dict(zip(pinned, shares.values(), strict=True)))
    return Look(pinned[next(iter(settled))], settled, parts)


def _no_mix(detail: str) -> InvalidRequest:
    return InvalidRequest(f"style: {detail}.", errors=[{"pointer": "/style", "detail": detail}])


def _version(session: Session, name: str, stylizer: str, tenant_id: UUID) -> StyleVersion:
    match = NAME.fullmatch(name)
    if match is None:
        raise UnknownStyle(f"{name[:80]!r} is not a style's name; GET /v1/styles lists them.")
    slug, number = match.groups()
    own = owned(tenant_id, slug)
    statement = select(StyleVersion).where(StyleVersion.slug.in_([own, slug]))
    if stylizer:
        statement = statement.where(StyleVersion.stylizer_digest == stylizer)
    if number:
        statement = statement.where(StyleVersion.version == int(number))
    order = (_active, StyleVersion.slug == own, StyleVersion.version, StyleVersion.id)
    best = statement.order_by(*(one.desc() for one in order)).limit(1)
    version = session.scalars(best).first()
    if version is None:
        raise UnknownStyle(f"There is no style {name!r}; GET /v1/styles lists them.")
    if version.suspended_at is not None:
        check_standing(version, plain(pin(version)))
    if version.status is not StyleStatus.ACTIVE:
        raise UnknownStyle(
            f"Style {plain(pin(version))!r} is not active: it is {version.status}. "
            + _WAY_OUT.get(version.status, _LISTED).format(name=plain(version.slug))
        )
    return version


def listing(
    session: Session, tenant_id: UUID, *, stylizer: str = "", name: str = ""
) -> Sequence[Row[Any]]:
    """
    Versions with style and stylizer but without their numbers: as names are resolved, best first.

    Everybody's and the tenant's own, each with the job that learned it, if one did; not those
    that are licensed to others. `stylizer` (a digest) and `name` leave only theirs.
    """
    own = Style.tenant_id.is_not(None)
    statement: Any = (
        select(
            StyleVersion.id,
            StyleVersion.slug,
            StyleVersion.version,
            StyleVersion.status,
            StyleVersion.card,
            StyleVersion.preview_digest,
            StyleVersion.valid_until,
            StyleVersion.suspended_at,
            StyleVersion.withdrawn_at,
            func.now().label("now"),
            Style.title,
            Style.tenant_id,
            Stylizer.name.label("stylizer_name"),
            Stylizer.version.label("stylizer_version"),
            Job.id.label("job_id"),
            Job.status.label("job_status"),
            Job.stage,
            Job.error_code,
            Job.error_detail,
        )
        .join(Style, Style.slug == StyleVersion.slug)
        .join(Stylizer, Stylizer.digest == StyleVersion.stylizer_digest)
        .outerjoin(Job, and_(Job.style_version_id == StyleVersion.id, Job.lane == Lane.LEARN))
        .where(or_(and_(~own, _licensed_to(tenant_id)), Style.tenant_id == tenant_id))
        .order_by(_active.desc(), own.desc(), StyleVersion.version.desc(), StyleVersion.id.desc())
    )
    if stylizer:
        statement = statement.where(StyleVersion.stylizer_digest == stylizer)
    if name:
        statement = statement.where(StyleVersion.slug.in_([owned(tenant_id, name), name]))
    rows: Sequence[Row[Any]] = session.execute(statement).all()
    return rows


def slug_of(session: Session, tenant_id: UUID, name: str) -> str:
    """What is meant by a name: the tenant's own style, or everybody's. Raises `NotFound`."""
    own = owned(tenant_id, name)
    found = session.scalars(select(Style.slug).where(Style.slug.in_([own, name]))).all()
    if not found:
        raise NotFound("There is no such style; GET /v1/styles lists them.")
    return own if own in found else name


def _licensed_to(tenant_id: UUID) -> ColumnElement[bool]:
    """Whether a style of everybody's names no tenants, or this one."""
    tenants = StyleVersion.card["licence"]["tenants"]
    name = select(Tenant.name).where(Tenant.id == tenant_id).scalar_subquery()
    return or_(tenants.is_(None), tenants.has_key(name))


def begin(
    session: Session, tenant_id: UUID, name: str, *, title: str, stylizer: str, card: dict[str, Any]
) -> StyleVersion:
    """
    The next version of a tenant's own style, without numbers until it is learned.

    Raises `Conflict` for a name that is everybody's.
    """
    if session.get(Style, name) is not None:
        raise Conflict(f"{name!r} is a style that everybody has; give yours another name.")
    slug = owned(tenant_id, name)
    new = insert(Style).values(slug=slug, tenant_id=tenant_id, title=title)
    # The row is locked, so that two at once do not get the same number.
    named = new.on_conflict_do_update(index_elements=[Style.slug], set_={"title": title})
    session.execute(named)
    last = session.scalar(select(func.max(StyleVersion.version)).where(StyleVersion.slug == slug))
    version = StyleVersion(
        slug=slug,
        version=(last or 0) + 1,
        stylizer_digest=stylizer,
        status=StyleStatus.LEARNING,
        card=card,
        valid_until=terms_of(card).valid_until,
    )
    session.add(version)
    session.flush()
    return version


def preview(session: Session, version_id: UUID, digest: str) -> None:
    """A newer look at what is being learned, an asset of its owner's."""
    its = StyleVersion.id == version_id
    session.execute(update(StyleVersion).where(its).values(preview_digest=digest))


def learned(
    session: Session, version_id: UUID, *, embedding: bytes, card: dict[str, Any], preview: str
) -> None:
    """The numbers of a version, once: from now on it never changes."""
    its = (StyleVersion.id == version_id, StyleVersion.status == StyleStatus.LEARNING)
    values = {"embedding": embedding, "card": card, "preview_digest": preview}
    session.execute(update(StyleVersion).where(*its).values(status=StyleStatus.DRAFT, **values))
