"""Uploaded manifests, for as long as they may be used; and lines that could not be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, Uuid, bindparam, delete, func, select, text, tuple_
from sqlalchemy.orm import Session

from app.db.models import ManifestError, Upload

BATCH: Final = 100  #: promises of one transaction


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """A line, and why it became nothing; texts that Postgres keeps."""

    line: int
    custom_id: str | None
    code: str
    detail: str


_ADD = text("""
INSERT INTO manifest_errors (campaign_id, line, custom_id, code, detail)
SELECT :campaign_id, line, custom_id, code, detail
FROM json_to_recordset(CAST(:refusals AS json)) AS refusal (
    line int, custom_id text, code text, detail text)
""").bindparams(bindparam("campaign_id", type_=Uuid))


def add_refusals(session: Session, campaign_id: UUID, refusals: Sequence[NewRefusal]) -> None:
    """Keep why these lines became nothing."""
    if refusals:
        rows = to_json(refusals).decode()
        session.execute(_ADD, {"campaign_id": campaign_id, "refusals": rows})


def uploaded(session: Session, tenant_id: UUID, upload_id: UUID) -> Upload | None:
    """The upload that promised a manifest, if it is this tenant's and has not expired."""
    return session.scalars(
        select(Upload).where(
            Upload.id == upload_id,
            Upload.tenant_id == tenant_id,
            Upload.expires_at > func.now(),
            ~Upload.media_type.startswith("image/"),
        )
    ).one_or_none()


def promised(session: Session, tenant_id: UUID, digest: str) -> None:
    """
    Before a manifest is promised: whoever deletes an older one with these bytes is waited for.

    Else its bytes might come before they are deleted.
    """
    session.execute(_HOLD, {"place": f"{tenant_id}/{digest}"})


def over(session: Session) -> list[Row[Any]]:
    """
    Manifests of some promises that are over: `tenant_id` and `sha256`, kept from being promised.

    Over is an hour after nobody can send or use them any more, so that nobody is still at it.
    """
    return list(session.execute(_OVER, {"most": BATCH}))


def forgettable(session: Session, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those of `over` that no younger promise leads to; their promises are kept no longer."""
    its = tuple_(Upload.tenant_id, Upload.sha256)
    places = [(row.tenant_id, row.sha256) for row in rows]
    session.execute(delete(Upload).where(its.in_(places), text(_IS_OVER)))
    live = set(session.execute(select(Upload.tenant_id, Upload.sha256).where(its.in_(places))))
    return [row for row in rows if row not in live]


def errors(
    session: Session, campaign_id: UUID, *, after: int, limit: int
) -> Sequence[ManifestError]:
    """Lines behind that number, in the order of the manifest."""
    its = (ManifestError.campaign_id == campaign_id, ManifestError.line > after)
    statement = select(ManifestError).where(*its).order_by(ManifestError.line).limit(limit)
    return session.scalars(statement).all()


_IS_OVER: Final = (
    "left(uploads.media_type, 6) <> 'image/' AND uploads.expires_at < now() - interval '1 hour'"
    " AND uploads.created_at < now() - interval '25 hours'"  # one that was erased may still come
)
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended('manifest ' || :place, 0))")
_OVER = text(f"""
SELECT tenant_id, sha256 FROM (
    SELECT DISTINCT tenant_id, sha256 FROM uploads WHERE {_IS_OVER} LIMIT :most
) AS place
WHERE pg_try_advisory_xact_lock(
    hashtextextended('manifest ' || tenant_id || '/' || sha256, 0))
""").columns(tenant_id=Uuid)  # noqa: S608 - a constant of ours
