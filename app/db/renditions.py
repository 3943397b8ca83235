"""Further files of drawings: written beside the output, copied with it, found by their digests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import JSON, ColumnElement, Select, TextClause, select, text, type_coerce, union_all
from sqlalchemy.orm import Session

from app.db.models import Asset, Job, RenditionRow
from app.errors import NotFound


@dataclass(frozen=True, slots=True)
class NewRendition:
    """A row of `renditions`; its asset is stored and written before it is."""

    job_id: UUID
    name: str
    place: int
    tenant_id: UUID
    digest: str
    manifest_label: str | None = None
    manifest_digest: str | None = None
    certificate_digest: str | None = None


def add(session: Session, rows: Sequence[NewRendition]) -> None:
    """Of jobs that have ended well, in the transaction of their end."""
    if rows:
        session.execute(_ADD, {"rows": to_json(rows).decode()})


def copy(session: Session, origins: Mapping[UUID, UUID]) -> None:
    """What each of these jobs was given comes with the renditions of the job that drew it."""
    if origins:
        pairs = [{"job_id": job, "drawn": drawn} for job, drawn in origins.items()]
        session.execute(_COPY, {"pairs": to_json(pairs).decode()})


def get(session: Session, job: Job, name: str) -> Asset:
    """One of a job's. Raises `NotFound`."""
    its = (RenditionRow.job_id == job.id, RenditionRow.name == name)
    digest = session.scalars(select(RenditionRow.digest).where(*its)).first()
    if digest is None:
        raise NotFound(f"Job {job.id} has no rendition {name!r}.")
    return session.get_one(Asset, (job.tenant_id, digest))


def made(tenant_id: UUID, digest: str) -> ColumnElement[bool]:
    """Jobs of which this picture is the output or a rendition."""
    return Job.id.in_(union_all(*makers(tenant_id, digest)))


def makers(tenant_id: UUID, digest: str) -> tuple[Select[Any], Select[Any]]:
    """The ids of those; each way is a probe of an index."""
    output = (Job.tenant_id == tenant_id, Job.output_digest == digest)
    part = (RenditionRow.tenant_id == tenant_id, RenditionRow.digest == digest)
    return select(Job.id).where(*output), select(RenditionRow.job_id).where(*part)


def _shown(sql: str) -> TextClause:
    return text(f"CASE WHEN jobs.parameters ? 'renditions' THEN ({sql}) END")


#: A column of jobs: theirs as JSON, in order, without those that were erased; null for most jobs,
#: and nobody looks for them then.
SHOWN: Final[ColumnElement[Any]] = type_coerce(
    _shown("""
SELECT json_agg(json_build_object('name', part.name, 'digest', part.digest,
    'media_type', asset.media_type, 'bytes', asset.bytes, 'width', asset.width,
    'height', asset.height, 'manifest_label', part.manifest_label,
    'manifest_digest', part.manifest_digest,
    'certificate_digest', part.certificate_digest) ORDER BY part.place)
FROM renditions AS part JOIN assets AS asset
    ON asset.tenant_id = part.tenant_id AND asset.digest = part.digest
WHERE part.job_id = jobs.id AND asset.erased_at IS NULL"""),
    JSON,
)

#: A column of jobs: the digests of theirs, as an array or null.
DIGESTS: Final[ColumnElement[Any]] = type_coerce(
    _shown("SELECT json_agg(part.digest) FROM renditions AS part WHERE part.job_id = jobs.id"),
    JSON,
)

_ADD = text("""
INSERT INTO renditions (job_id, name, place, tenant_id, digest, manifest_label, manifest_digest,
    certificate_digest)
SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS part (job_id uuid, name text,
    place smallint, tenant_id uuid, digest text, manifest_label text, manifest_digest text,
    certificate_digest text)
""")

_COPY = text("""
INSERT INTO renditions (job_id, name, place, tenant_id, digest, manifest_label, manifest_digest,
    certificate_digest)
SELECT pair.job_id, name, place, tenant_id, digest, manifest_label, manifest_digest,
    certificate_digest
FROM json_to_recordset(CAST(:pairs AS json)) AS pair (job_id uuid, drawn uuid)
JOIN renditions AS part ON part.job_id = pair.drawn
""")
