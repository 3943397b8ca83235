"""The secret of a tenant's webhooks, so that what arrives can be verified."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body
from starlette.responses import Response

from app.api import schemas
from app.api.deps import KEYED, Principal, TenantId, TheDesk, takes
from app.api.problems import documented
from app.api.replies import UNCACHED, reply
from app.db import audit, tenants
from app.db.models import Tenant
from app.domain.endpoints import RotateRequest
from app.domain.rotation import Signing
from app.domain.scopes import Scope
from app.errors import InvalidRequest, RotatedTooOften
from app.signing import webhook_secret
from app.submission import Desk

router = APIRouter(prefix="/v1/webhook-secret", tags=["webhooks"], **KEYED)


@router.get(
    "",
    response_model=schemas.WebhookSecret,
    summary="The secret of your webhooks",
    openapi_extra=takes(Scope.SUBMIT),  # who only looks needs it for nothing
)
def get_secret(desk: TheDesk, tenant_id: TenantId) -> Response:
    """Deliveries to the `webhook_url` of a job or campaign are signed with it."""
    with desk.sessions() as session:
        tenant = session.get_one(Tenant, tenant_id)
    secret_key = desk.settings.secret_key.get_secret_value()
    secret = webhook_secret(secret_key, tenant_id, tenant.webhook_generation)
    content = schemas.WebhookSecret(secret=secret, retired_until=_ends(tenant))
    return reply(content, 200, {"Cache-Control": "no-store"})


@router.post(
    "/rotate",
    response_model=schemas.RetiredSecrets,
    summary="Give your webhooks a new secret",
    responses=documented(InvalidRequest, RotatedTooOften),
)
def rotate_secret(
    desk: TheDesk,
    tenant_id: TenantId,
    by: Principal,
    wanted: Annotated[RotateRequest | None, Body(examples=[{"overlap_seconds": 86_400}])] = None,
) -> Response:
    """For a day both sign (space-separated, as Standard Webhooks says), so that none is refused."""
    overlap = timedelta(seconds=(wanted or RotateRequest()).overlap_seconds)
    return reply(_rotated(desk, tenant_id, by, overlap), 200, UNCACHED)


def _rotated(desk: Desk, tenant_id: UUID, by: str, overlap: timedelta) -> schemas.RetiredSecrets:
    with desk.sessions.begin() as session:
        tenant = tenants.rotate_webhook_secret(session, tenant_id, overlap=overlap)
        action, target = "webhook-secret.rotated", f"tenant:{tenant_id}"
        audit.record(session, tenant_id, by=by, action=action, target=target)
        return schemas.RetiredSecrets(retired_until=_ends(tenant))


def _ends(tenant: Tenant) -> list[datetime]:
    now = datetime.now(UTC)
    return list(Signing.of(tenant.webhook_generation, tenant.webhook_retired, now=now).until)
