"""What receivers need to know that a webhook is ours."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api import schemas
from app.api.deps import KEYED, TenantId, TheDesk, takes
from app.api.replies import reply
from app.db.models import Tenant
from app.domain.scopes import Scope
from app.signing import webhook_secret

router = APIRouter(prefix="/v1/webhook-secret", tags=["webhooks"], **KEYED)


@router.get(
    "",
    response_model=schemas.WebhookSecret,
    summary="The secret of your webhooks",
    openapi_extra=takes(Scope.SUBMIT),  # who only looks needs it for nothing
)
def get_secret(desk: TheDesk, tenant_id: TenantId) -> Response:
    """Every delivery to this tenant carries a Standard Webhooks signature made with it."""
    with desk.sessions() as session:
        tenant = session.get_one(Tenant, tenant_id)
    secret_key = desk.settings.secret_key.get_secret_value()
    secret = webhook_secret(secret_key, tenant_id, tenant.webhook_generation)
    return reply(schemas.WebhookSecret(secret=secret), 200, {"Cache-Control": "no-store"})
