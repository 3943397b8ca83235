"""What is to be forgotten: the wishes, the jobs and pictures they mean, and the receipts."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, select, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db import audit, blanks, campaigns, renditions
from app.db.models import (
    Asset,
    Campaign,
    ErasedPicture,
    Erasure,
    ErasureKind,
    Job,
    RenditionRow,
    Upload,
)
from app.db.moves import move
from app.domain.ids import new_id
from app.domain.job import JobStatus
from app.domain.review import Decision, Verdict
from app.errors import NotFound

BATCH: Final = 100  #: jobs, or pictures, of one transaction

_mask = Job.parameters["mask"]["digest"].astext


def request(session: Session, tenant_id: UUID, kind: ErasureKind, target: str, *, by: str) -> UUID:
    """Ask for something to be forgotten; asking again while it is being done is the same wish."""
    wish = {"tenant_id": tenant_id, "kind": kind, "target": target}
    new = insert(Erasure).values(id=new_id(), by=by, **wish).on_conflict_do_nothing()
    made: UUID | None = session.scalar(new.returning(Erasure.id))
    if made is None:
        same = select(Erasure.id).filter_by(**wish).where(Erasure.finished_at.is_(None))
        return session.scalars(same).one()
    about = {"kind": kind.value}
    _tell(session, made, tenant_id, by, "requested", about)
    return made


def get(session: Session, tenant_id: UUID, erasure_id: UUID) -> Erasure:
    """One wish of this tenant. Raises `NotFound`, also for another tenant's."""
    wish = session.get(Erasure, erasure_id)
    if wish is None or wish.tenant_id != tenant_id:
        raise NotFound(f"There is no erasure {erasure_id}.")
    return wish


def listing(session: Session, tenant_id: UUID, *, before: UUID | None, limit: int) -> Any:
    """A tenant's wishes, newest first, as rows."""
    wanted = [Erasure.tenant_id == tenant_id]
    if before is not None:
        wanted.append(Erasure.id < before)
    statement = select(Erasure).where(*wanted).order_by(Erasure.id.desc()).limit(limit)
    return session.execute(statement).all()


def digests(session: Session, erasure_id: UUID) -> list[str]:
    """What was erased, in order."""
    its = select(ErasedPicture.digest).where(ErasedPicture.erasure_id == erasure_id)
    return list(session.scalars(its.order_by(ErasedPicture.digest)))


def take(session: Session) -> Erasure | None:
    """The oldest wish that nobody is at, locked; None when there is none."""
    waiting = select(Erasure).where(Erasure.finished_at.is_(None)).order_by(Erasure.id).limit(1)
    return session.scalars(waiting.with_for_update(skip_locked=True)).first()


def withdraw(session: Session, wish: Erasure) -> int:
    """
    End what has not ended of what is to be forgotten; nobody draws it any more then.

    What awaits a reviewer is rejected: nobody will look at it.
    """
    if wish.kind is ErasureKind.CAMPAIGN:
        campaigns.steer(session, UUID(wish.target))
    # Locked in the order of their ids, as groups are when they end: nobody waits in a circle.
    meant = select(Job.id).where(_meant(wish), Job.finished_at.is_(None))
    ids = list(session.scalars(meant.order_by(Job.id).with_for_update()))
    if not ids:
        return 0
    canceled = move(session, JobStatus.CANCELED, Job.id.in_(ids), note="erased")
    waits = Job.status == JobStatus.IN_REVIEW
    no = Verdict(decision=Decision.REJECT, reason_code="erased").kept(wish.by)
    rejected = move(session, JobStatus.REJECTED, Job.id.in_(ids), waits, note="erased", verdict=no)
    return len(canceled) + len(rejected)


def ended(session: Session, wish: Erasure) -> Sequence[Row[Any]]:
    """Some of its jobs that have ended and still tell something, locked."""
    columns = (
        *(Job.id, Job.content_digest, Job.output_digest, _mask.label("mask")),
        renditions.DIGESTS.label("renditions"),
    )
    its = (_meant(wish), Job.finished_at.is_not(None), Job.erased_at.is_(None))
    statement = select(*columns).where(*its).order_by(Job.id).limit(BATCH)
    return session.execute(statement.with_for_update()).all()


def pictures_of(wish: Erasure, rows: Sequence[Row[Any]]) -> set[str]:
    """
    What goes with these jobs: all their pictures; if one picture was meant, what came of it.

    The content of whoever made that picture stays: it was not asked for.
    """
    made = {row.output_digest for row in rows}
    made |= {digest for row in rows for digest in row.renditions or ()}
    if wish.kind is not ErasureKind.ASSET:
        made |= {digest for row in rows for digest in (row.content_digest, row.mask)}
    return made - {None}


def remaining(session: Session, wish: Erasure) -> list[Row[Any]]:
    """What goes whoever needs it, a batch, locked: the picture that was meant, or all."""
    its = [Asset.tenant_id == wish.tenant_id, Asset.erased_at.is_(None)]
    if wish.kind is ErasureKind.ASSET:
        its.append(Asset.digest == wish.target)
    elif wish.kind is not ErasureKind.ALL:
        return []
    statement = select(Asset.digest, Asset.bytes).where(*its).order_by(Asset.digest).limit(BATCH)
    return list(session.execute(statement.with_for_update()))


def manifests(session: Session, wish: Erasure) -> set[str]:
    """Uploaded lists of pictures that go with everything else; they cannot be used any more."""
    if wish.kind is not ErasureKind.ALL:
        return set()
    its = (Upload.tenant_id == wish.tenant_id, ~Upload.media_type.startswith("image/"))
    expired = update(Upload).where(*its).values(expires_at=func.now()).returning(Upload.sha256)
    return {digest for digest in session.scalars(expired) if digest is not None}


def note(session: Session, wish: Erasure, pictures: Sequence[Row[Any]], jobs: int) -> None:
    """A batch more on the receipt."""
    for row in pictures:
        line = {"erasure_id": wish.id, "digest": row.digest, "bytes": row.bytes}
        session.execute(insert(ErasedPicture).values(line).on_conflict_do_nothing())
    wish.jobs += jobs
    wish.pictures += len(pictures)
    wish.bytes += sum(row.bytes for row in pictures)


def finish(session: Session, wish: Erasure) -> None:
    """Nothing is left to forget: campaigns lose their names, the receipt is closed."""
    _blank_campaigns(session, wish)
    wish.kept = _kept(session, wish)
    wish.finished_at = session.scalar(select(func.now()))
    session.flush()
    counts = {name: getattr(wish, name) for name in ("canceled", "jobs", "pictures", "kept")}
    _tell(session, wish.id, wish.tenant_id, audit.SYSTEM, "finished", counts)


def _blank_campaigns(session: Session, wish: Erasure) -> None:
    if wish.kind is ErasureKind.CAMPAIGN:
        blanks.campaigns(session, wish.tenant_id, Campaign.id == UUID(wish.target))
    elif wish.kind is ErasureKind.ALL:
        blanks.campaigns(session, wish.tenant_id)


def _kept(session: Session, wish: Erasure) -> int:
    """How many pictures of its jobs are still there; of one picture's, its own was meant alone."""
    if wish.kind is ErasureKind.ASSET:
        return 0
    digests = union_all(
        *(select(digest).where(_meant(wish)) for digest in (Job.content_digest, _mask)),
        select(Job.output_digest).where(_meant(wish)),
        select(RenditionRow.digest).join(Job, Job.id == RenditionRow.job_id).where(_meant(wish)),
    )
    its = (Asset.tenant_id == wish.tenant_id, Asset.erased_at.is_(None))
    count = select(func.count()).select_from(Asset).where(*its, Asset.digest.in_(digests))
    return session.scalars(count).one()


def _meant(wish: Erasure) -> ColumnElement[bool]:
    """The jobs that a wish means."""
    mine = Job.tenant_id == wish.tenant_id
    match wish.kind:
        case ErasureKind.JOB:
            return and_(mine, Job.id == UUID(wish.target))
        case ErasureKind.CAMPAIGN:
            return and_(mine, Job.campaign_id == UUID(wish.target))
        case ErasureKind.ASSET:
            return _with(wish.tenant_id, wish.target)
    return mine


def _with(tenant_id: UUID, digest: str) -> ColumnElement[bool]:
    """Jobs that used or made a picture; one probe of an index for each way."""
    mine = Job.tenant_id == tenant_id
    content = Job.content_digest == digest
    ways = (
        and_(content, Job.finished_at.is_not(None)),
        *(and_(content, Job.status == status) for status in JobStatus if not status.final),
        and_(Job.parameters.has_key("mask"), _mask == digest),
    )
    used = [select(Job.id).where(mine, way) for way in ways]
    return Job.id.in_(union_all(*used, *renditions.makers(tenant_id, digest)))


def _tell(
    session: Session, wish: UUID, tenant_id: UUID, by: str, deed: str, about: dict[str, Any]
) -> None:
    action, target = f"erasure.{deed}", f"erasure:{wish}"
    audit.record(session, tenant_id, by=by, action=action, target=target, details=about)
