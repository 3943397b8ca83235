"""Where a finished picture can be had: signed links that stay the same long enough to be cached."""

from time import time
from uuid import UUID

from app.settings import Settings
from app.signing import sign, verify
from app.storage import asset_key


def asset_url(settings: Settings, tenant_id: UUID, digest: str) -> str:
    """
    Opens one asset to whoever holds it, for at least half of `url_seconds`.

    What is signed is the store's own path, so that a CDN in front of a bucket can check it.
    """
    path = f"/{asset_key(tenant_id, digest)}"
    expires = (window(settings) + 2) * _half(settings)
    query = sign(path, secret=settings.links_secret, expires=expires)
    if settings.cdn_url:
        return f"{settings.cdn_url.rstrip('/')}{path}?{query}"
    return f"{settings.public_url.rstrip('/')}/v1/assets/{digest}?owner={tenant_id}&{query}"


def check_asset_url(
    settings: Settings, tenant_id: UUID, digest: str, expires: int, signature: str
) -> None:
    """Raise `Unauthorized` unless the link is ours and in time."""
    path = f"/{asset_key(tenant_id, digest)}"
    verify(path, expires, signature, secret=settings.links_secret, now=time())


def window(settings: Settings) -> int:
    """A number that changes when links do; part of every ETag that covers one."""
    return int(time()) // _half(settings)


def _half(settings: Settings) -> int:
    return max(1, settings.url_seconds // 2)
