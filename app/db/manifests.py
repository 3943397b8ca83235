"""What became of the lines of manifests that could not be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Uuid, bindparam, func, select, text
from sqlalchemy.orm import Session

from app.db.models import ManifestError, Upload


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


def errors(
    session: Session, campaign_id: UUID, *, after: int, limit: int
) -> Sequence[ManifestError]:
    """Lines behind that number, in the order of the manifest."""
    its = (ManifestError.campaign_id == campaign_id, ManifestError.line > after)
    statement = select(ManifestError).where(*its).order_by(ManifestError.line).limit(limit)
    return session.scalars(statement).all()
