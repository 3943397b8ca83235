"""Where a finished picture can be had: signed links that stay the same long enough to be cached."""

from datetime import datetime
from time import time
from uuid import UUID

from app.settings import Settings
from app.signing import sign, verify
from app.storage import asset_key


def asset_url(
    settings: Settings,
    tenant_id: UUID,
    digest: str,
    *,
    until: datetime | None = None,
    limited: bool = False,
) -> str:
    """
    Opens one asset to whoever holds it, for at least half of `url_seconds`, but never beyond
    `until`, when its licence ends. Of those that have an end, and of others that are `limited`,
    links live shortly: a CDN opens what was given out until it expires, whatever happens here.

    What is signed is the store's own path, so that a CDN in front of a bucket can check it.
    """
    path = f"/{asset_key(tenant_id, digest)}"
    half = _brief(settings) if until or limited else _half(settings)
    expires = (int(time()) // half + 2) * half
    if until is not None:
        expires = min(expires, int(until.timestamp()))
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
    """A number that changes whenever links do; part of every ETag that covers one."""
    return int(time()) // _brief(settings)


def _brief(settings: Settings) -> int:
    return max(1, min(settings.url_seconds, settings.governance.limited_url_seconds) // 2)


def _half(settings: Settings) -> int:
    return max(1, settings.url_seconds // 2)
