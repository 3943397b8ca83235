"""The tenant itself: what it may have, what is kept of it, and who did what in its name."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from app.api import tenant_schemas
from app.api.deps import KEYED, Cursor, Limit, Principal, TenantId, TheDesk
from app.api.pages import Pages, answer
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.api.schemas import Page
from app.api.tenant_schemas import AuditLine
from app.db import audit, models, tenants
from app.domain.quotas import UNITS
from app.domain.retention import Retention
from app.errors import BadRequest, InvalidRequest
from app.submission import Desk

router = APIRouter(prefix="/v1/tenant", tags=["tenant"], **KEYED)
log = APIRouter(prefix="/v1/audit", tags=["audit"], **KEYED)

DAYS = {"contents": 30, "outputs": 90, "jobs": 365}


@router.get("", response_model=tenant_schemas.Tenant, summary="Your quotas and retention")
def get_tenant(desk: TheDesk, tenant_id: TenantId) -> Response:
    """Quotas are changed by operators: `impasto tenants quota`."""
    with desk.sessions() as session:
        tenant = tenants.get(session, tenant_id)
    return reply(_shown(desk, tenant), 200, UNCACHED)


@router.put(
    "/retention",
    response_model=tenant_schemas.Tenant,
    summary="Say how long what is kept",
    responses=documented(BadRequest, InvalidRequest),
)
def put_retention(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[Retention, Body(examples=[DAYS])],
) -> Response:
    """What is older is erased within the hour, in small batches, and does not come back."""
    with desk.sessions.begin() as session:
        tenant = tenants.get(session, tenant_id)
        tenants.set_retention(session, tenant, wanted.kept, by=by)
    return reply(_shown(desk, tenant), 200, UNCACHED)


@log.get(
    "",
    response_model=Page[AuditLine],
    summary="Who did what, newest first",
    responses=documented(BadRequest, InvalidRequest),
)
def list_audit(
    request: Request, desk: TheDesk, tenant_id: TenantId, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Lines are never changed; each is bound to the one before by its hash (docs/tenants.md)."""
    pages = Pages(f"audit/{tenant_id}", desk.settings.secret_key)
    last = pages.last(cursor)
    with desk.sessions() as session:
        lines = audit.lines(
            session, tenant_id, before=None if last is None else last.int, limit=limit + 1
        )
    more = len(lines) > limit
    data = [_line(line) for line in lines[:limit]]
    following = pages.cursor(UUID(int=data[-1].sequence)) if more else None
    return answer(request, Page[AuditLine], data, following)


def _shown(desk: Desk, tenant: models.Tenant) -> tenant_schemas.Tenant:
    its = desk.meter.know(tenant.id, tenant.quotas) if desk.meter else ()
    return tenant_schemas.Tenant(
        id=tenant.id,
        name=tenant.name,
        quotas=[
            tenant_schemas.Quota(
                name=one.name, quota=one.quota, window=one.window or None, unit=UNITS[one.name]
            )
            for one in its
        ],
        retention=Retention.model_validate(tenant.retention),
        created_at=tenant.created_at,
    )


def _line(line: models.AuditLine) -> AuditLine:
    facts = {name: getattr(line, name) for name in AuditLine.model_fields if name != "object"}
    return AuditLine(**facts | {"details": json.loads(line.details)})
