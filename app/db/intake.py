"""Writing accepted work: assets, uploads, and jobs by the thousand in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, Uuid, bindparam, text
from sqlalchemy.orm import Session

from app.db import uses
from app.db.copying import NULL, cell, copy, json_cell
from app.db.models import AssetKind
from app.domain.ids import new_id
from app.domain.job import Lane
from app.domain.terms import PLAIN, Terms
from app.errors import NotFound


@dataclass(slots=True)  # not frozen: that would take three times as long to make
class NewJob:
    """One row of `jobs`, as accepted."""

    id: UUID
    lane: Lane
    source: str
    style_version_id: UUID
    parameters: dict[str, Any]
    custom_id: str | None = None
    content_digest: str | None = None
    pixels: int = 0
    render_key: str | None = None
    cache_key: str | None = None
    metadata: dict[str, Any] | None = None
    reserve_micros: int = 0
    tags: dict[str, str] | None = None  #: None: those that all jobs of the call have
    unfunded: bool = False  #: its campaign's budget has no room for it yet
    usage: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NewAsset:
    """A stored picture that may be new to the database."""

    tenant_id: UUID
    digest: str
    kind: AssetKind
    media_type: str
    bytes: int
    width: int
    height: int


_COPY_JOBS = """
COPY jobs (id, custom_id, lane, source, content_digest, pixels, render_key, cache_key,
    reserved_micros, unfunded, style_version_id, parameters, metadata, tags, usage,
    tenant_id, campaign_id, deadline_at, priority, review, webhook, principal{more}) FROM STDIN
"""
_ADD_JOBS = text(_COPY_JOBS.format(more=""))
_ADD_TRACED_JOBS = text(_COPY_JOBS.format(more=", traceparent"))
_ADD_HISTORY = text("COPY job_history (job_id, status, attempt, version) FROM STDIN")
_RESERVE = text("""
COPY ledger (job_id, amount_micros, tenant_id, campaign_id, kind, rate_card) FROM STDIN
""")
_IN = text("SELECT now() + make_interval(secs => :seconds)")


def add_jobs(
    session: Session,
    jobs: Sequence[NewJob],
    *,
    tenant_id: UUID,
    campaign_id: UUID | None,
    webhook: dict[str, Any] | None,
    rate_card: str,
    tags: Mapping[str, str] | None = None,
    principal: str | None = None,
    terms: Terms = PLAIN,
    traceparent: str | None = None,
) -> None:
    """
    Queue jobs, with the first line of their history and the reservation for each.

    `principal` is the prefix of the key that they came with. A `traceparent` is for single jobs:
    of others, their campaign's row has it.
    """
    whose = f"{tenant_id.hex}\t{NULL if campaign_id is None else campaign_id.hex}"
    ends = (_deadline(session, terms), str(terms.priority), terms.review)
    hook, key = json_cell(webhook), cell(principal)
    same = "\t".join((whose, *map(cell, ends), hook, key))
    adding = _ADD_JOBS
    if traceparent is not None:
        adding, same = _ADD_TRACED_JOBS, f"{same}\t{cell(traceparent)}"
    texts = _Texts(tags or {})
    copy(session, adding, (f"{_row(job, texts)}\t{same}\n" for job in jobs))
    copy(session, _ADD_HISTORY, (f"{job.id.hex}\tqueued\t0\t1\n" for job in jobs))
    entry = f"{whose}\treserve\t{cell(rate_card)}"
    copy(session, _RESERVE, (f"{job.id.hex}\t{job.reserve_micros}\t{entry}\n" for job in jobs))


def _deadline(session: Session, terms: Terms) -> str | None:
    if not terms.cancel_after:
        return None
    moment: datetime = session.execute(_IN, {"seconds": terms.cancel_after}).scalar_one()
    return moment.isoformat()


class _Texts:
    """JSON for COPY, written once of what many jobs share."""

    def __init__(self, tags: Mapping[str, str]) -> None:
        self.tags = json_cell(tags)  #: of jobs that have none of their own
        self._known: dict[int, str] = {}  # the jobs hold the objects, so that no id comes again

    def of(self, shared: dict[str, Any] | None) -> str:
        known = self._known.get(id(shared))
        if known is None:
            known = self._known[id(shared)] = json_cell(shared)
        return known


def _row(job: NewJob, texts: _Texts) -> str:
    """What is a job's own, in the order of `_ADD_JOBS`."""
    tags = texts.tags if job.tags is None else json_cell(job.tags)
    return (
        f"{job.id.hex}\t{cell(job.custom_id)}\t{job.lane}\t{cell(job.source)}"
        f"\t{job.content_digest or NULL}\t{job.pixels}"
        f"\t{job.render_key or NULL}\t{job.cache_key or NULL}"
        f"\t{job.reserve_micros}\t{job.unfunded}\t{job.style_version_id.hex}"
        f"\t{texts.of(job.parameters)}\t{json_cell(job.metadata) if job.metadata else '{}'}"
        f"\t{tags}\t{texts.of(job.usage)}"
    )


_ADD_ASSETS = text("""
WITH asset AS (
    SELECT * FROM json_to_recordset(CAST(:assets AS json)) AS asset (tenant_id uuid, digest text,
        kind text, media_type text, bytes bigint, width int, height int)
), new AS (
    INSERT INTO assets (tenant_id, digest, kind, media_type, bytes, width, height)
    SELECT * FROM asset ORDER BY tenant_id, digest
    ON CONFLICT DO NOTHING
    RETURNING tenant_id, digest
), back AS (
    UPDATE assets SET erased_at = NULL, created_at = now(), kind = asset.kind,
        media_type = asset.media_type, bytes = asset.bytes, width = asset.width,
        height = asset.height
    FROM asset
    WHERE (assets.tenant_id, assets.digest) = (asset.tenant_id, asset.digest)
        AND assets.erased_at IS NOT NULL
    RETURNING assets.tenant_id, assets.digest
)
SELECT tenant_id, digest, false AS back FROM new
UNION ALL SELECT tenant_id, digest, true FROM back
""").columns(tenant_id=Uuid)


def add_assets(session: Session, assets: Iterable[NewAsset]) -> set[str]:
    """
    Write assets that are new, and hold those that are here until this transaction has ended.

    In the order of their keys, so that two groups cannot deadlock. Answers with the digests of
    those that had been erased and are back: their bytes must be stored again, for an erasure may
    have come between storing and this.
    """
    missing = {(asset.tenant_id, asset.digest): asset for asset in assets}
    again: set[str] = set()
    while missing:
        given = {"assets": to_json(list(missing.values())).decode()}
        for row in session.execute(_ADD_ASSETS, given):
            del missing[row.tenant_id, row.digest]
            if row.back:
                again.add(row.digest)
        _hold(session, missing)
    return again


def _hold(session: Session, missing: dict[tuple[UUID, str], NewAsset]) -> None:
    """Strike out those that are here; what was erased in this moment has to be written again."""
    for tenant_id in sorted({tenant_id for tenant_id, _ in missing}):
        its = [digest for owner, digest in missing if owner == tenant_id]
        for digest in uses.hold(session, tenant_id, its):
            del missing[tenant_id, digest]


def uploads(session: Session, tenant_id: UUID, ids: Iterable[UUID]) -> Sequence[Row[Any]]:
    """
    Those of these uploads that are this tenant's and have not expired.

    Each with `id`, the promised `sha256`, and once it arrived `digest`, `width` and `height`; the
    picture stays then until this transaction has ended.
    """
    return session.execute(_UPLOADS, {"tenant_id": tenant_id, "ids": _array(ids)}).all()


def mark_arrived(session: Session, ids: Iterable[UUID]) -> None:
    """The promised bytes of these uploads are assets now."""
    session.execute(_MARK_ARRIVED, {"ids": _array(ids)})


def add_upload(
    session: Session, tenant_id: UUID, *, digest: str, media_type: str, seconds: int
) -> Row[Any]:
    """
    Promise to take bytes of that SHA-256 for so many seconds.

    Answers with `id`, `expires_at`, and the `digest` where the tenant has these bytes already.
    """
    promise = {"id": new_id(), "tenant_id": tenant_id, "sha256": digest}
    row = session.execute(_ADD_UPLOAD, {**promise, "media_type": media_type, "seconds": seconds})
    return row.one()


def receive(session: Session, upload_id: UUID, asset: NewAsset) -> bool:
    """
    The bytes of an upload arrived and were inspected. Raises `NotFound` once it expired.

    Answers as `add_assets` does: whether they must be stored again.
    """
    again = add_assets(session, [asset])
    given = {"digest": asset.digest, "upload_id": upload_id}
    if session.execute(_RECEIVE, given).one_or_none() is None:
        raise NotFound(f"There is no upload {upload_id}, or it has expired.")
    return bool(again)


def _array(ids: Iterable[UUID]) -> str:
    """A literal: one short text costs the driver a tenth of a thousand parameters."""
    return f"{{{','.join(map(str, ids))}}}"


_UPLOADS = (
    text("""
SELECT promised.id, promised.sha256, held.digest, held.width, held.height
FROM (
    SELECT id, sha256, digest FROM uploads
    WHERE tenant_id = :tenant_id AND id = ANY(CAST(:ids AS uuid[])) AND expires_at > now()
    ORDER BY digest
) AS promised
LEFT JOIN LATERAL (
    SELECT digest, width, height FROM assets
    WHERE tenant_id = :tenant_id AND digest = promised.digest AND erased_at IS NULL
    FOR KEY SHARE
) AS held ON true
""")
    .bindparams(bindparam("tenant_id", type_=Uuid))
    .columns(id=Uuid)
)

_MARK_ARRIVED = text("UPDATE uploads SET digest = sha256 WHERE id = ANY(CAST(:ids AS uuid[]))")

_ADD_UPLOAD = text("""
INSERT INTO uploads (id, tenant_id, sha256, media_type, digest, expires_at)
VALUES (:id, :tenant_id, :sha256, :media_type,
    (SELECT digest FROM assets
     WHERE tenant_id = :tenant_id AND digest = :sha256 AND erased_at IS NULL FOR KEY SHARE),
    now() + make_interval(secs => :seconds))
RETURNING id, digest, expires_at
""").bindparams(bindparam("id", type_=Uuid), bindparam("tenant_id", type_=Uuid))

_RECEIVE = text("""
UPDATE uploads SET digest = :digest WHERE id = :upload_id AND expires_at > now() RETURNING 1
""").bindparams(bindparam("upload_id", type_=Uuid))
