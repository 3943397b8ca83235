"""Being forgotten: ask for it, follow it, keep the receipt."""

from hashlib import sha256
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request
from sqlalchemy.orm import Session
from starlette.responses import PlainTextResponse, Response

from app.api.deps import KEYED, Cursor, Limit, Principal, TenantId, TheDesk
from app.api.examples import DIGEST, ID
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.api.schemas import Page
from app.api.tenant_schemas import Erasure, ErasureUrls
from app.db import campaigns, erasures, jobs, models
from app.db.models import Asset, ErasureKind
from app.domain.erasure import ErasureRequest
from app.errors import BadRequest, InvalidRequest, NotFound

POLL_AFTER = "1"  #: seconds

router = APIRouter(prefix="/v1/erasures", tags=["erasures"], **KEYED)


@router.post(
    "",
    status_code=202,
    response_model=Erasure,
    summary="Have pictures and jobs erased",
    responses=documented(BadRequest, InvalidRequest, NotFound),
)
def create_erasure(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[
        ErasureRequest,
        Body(examples=[{"asset": DIGEST}, {"job": ID}, {"campaign": ID}, {"all": True}]),
    ],
) -> Response:
    """
    Carried out within seconds, in batches; what had not ended is canceled first.

    Bytes are deleted, links answer 410, and rows lose source, metadata, `custom_id` and webhook;
    counts, costs and digests stay. Asking for the same again while it is being done is the same
    erasure.
    """
    with desk.sessions.begin() as session:
        kind, target = _meant(session, tenant_id, wanted)
        erasure_id = erasures.request(session, tenant_id, kind, target, by=by)
        wish = erasures.get(session, tenant_id, erasure_id)
    shown = _shown(wish, [])
    headers = {"Location": shown.urls.get, "Retry-After": POLL_AFTER}
    return reply(shown, 202, {**UNCACHED, **headers})


@router.get(
    "/{erasure_id}",
    response_model=Erasure,
    summary="How an erasure is; its receipt",
    responses=documented(NotFound),
)
def get_erasure(desk: TheDesk, tenant_id: TenantId, erasure_id: UUID) -> Response:
    with desk.sessions() as session:
        wish = erasures.get(session, tenant_id, erasure_id)
        digests = erasures.digests(session, erasure_id) if wish.finished_at else []
    pace = {} if wish.finished_at else {"Retry-After": POLL_AFTER}
    return reply(_shown(wish, digests), 200, {**UNCACHED, **pace})


@router.get(
    "/{erasure_id}/digests",
    response_class=PlainTextResponse,
    summary="What was erased",
    responses=documented(NotFound),
)
def get_digests(desk: TheDesk, tenant_id: TenantId, erasure_id: UUID) -> Response:
    """SHA-256 digests of the pictures, one a line, in order; also as far as it is."""
    with desk.sessions() as session:
        erasures.get(session, tenant_id, erasure_id)
        digests = erasures.digests(session, erasure_id)
    return PlainTextResponse(_text(digests), headers=UNCACHED)


@router.get(
    "",
    response_model=Page[Erasure],
    summary="Your erasures, newest first",
    responses=documented(BadRequest, InvalidRequest),
)
def list_erasures(
    request: Request, desk: TheDesk, tenant_id: TenantId, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Without the digest of digests, which each one has by itself."""
    pages = Pages(f"erasures/{tenant_id}", desk.settings.secret_key)
    before = pages.last(cursor)
    with desk.sessions() as session:
        rows = erasures.listing(session, tenant_id, before=before, limit=limit + 1)
    rows, following = pages.cut(rows, limit)
    return answer(request, Page[Erasure], [_shown(row.Erasure, None) for row in rows], following)


def _meant(session: Session, tenant_id: UUID, wanted: ErasureRequest) -> tuple[ErasureKind, str]:
    """What is to be erased, if it is the tenant's. Raises `NotFound`."""
    if wanted.job:
        return ErasureKind.JOB, str(jobs.get(session, tenant_id, wanted.job).id)
    if wanted.campaign:
        return ErasureKind.CAMPAIGN, str(campaigns.get(session, tenant_id, wanted.campaign).id)
    if wanted.asset:
        if session.get(Asset, (tenant_id, wanted.asset)) is None:
            raise NotFound(f"There is no asset {wanted.asset}.")
        return ErasureKind.ASSET, wanted.asset
    return ErasureKind.ALL, str(tenant_id)


def _shown(wish: models.Erasure, digests: list[str] | None) -> Erasure:
    path = f"/v1/erasures/{wish.id}"
    over = wish.finished_at is not None and digests is not None
    return Erasure(
        id=wish.id,
        status="running" if wish.finished_at is None else "finished",
        kind=wish.kind.value,
        target=wish.target,
        canceled_jobs=wish.canceled,
        erased_jobs=wish.jobs,
        erased_pictures=wish.pictures,
        erased_bytes=wish.bytes,
        kept_pictures=wish.kept,
        digests_sha256=sha256(_text(digests or []).encode()).hexdigest() if over else None,
        created_at=wish.created_at,
        finished_at=wish.finished_at,
        urls=ErasureUrls(get=path, digests=f"{path}/digests"),
    )


def _text(digests: list[str]) -> str:
    return "".join(f"{digest}\n" for digest in digests)
