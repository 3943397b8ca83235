"""Signatures of our own: links that expire, and webhook secrets that need no storing."""

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest, new
from uuid import UUID

from app.errors import Misconfigured, Unauthorized


def sign(path: str, *, secret: str, expires: int) -> str:
    """
    The query that opens `path` until `expires` (Unix seconds): `expires=...&signature=...`.

    The signature is HMAC-SHA256 over `path`, a newline and `expires`, in unpadded base64url:
    what a CDN can check for itself. `path` starts with a slash and carries no query.
    """
    return f"expires={expires}&signature={_signature(path, expires, secret)}"


def verify(path: str, expires: int, signature: str, *, secret: str, now: float) -> None:
    """Raise `Unauthorized` unless `signature` opens `path` and `now` (Unix seconds) is in time."""
    expected = _signature(path, expires, secret)
    if not compare_digest(expected.encode(), signature.encode()):
        raise Unauthorized("The link's signature does not match.")
    if now >= expires:
        raise Unauthorized("The link has expired; ask for a fresh one.")


def webhook_secret(secret_key: str, tenant_id: UUID, generation: int) -> str:
    """The Standard Webhooks secret of a tenant; a new `generation` is a rotated secret."""
    digest = _hmac(secret_key, f"webhook:{tenant_id}:{generation}")
    return "whsec_" + b64encode(digest).decode()


def _signature(path: str, expires: int, secret: str) -> str:
    digest = _hmac(secret, f"{path}\n{expires}")
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _hmac(secret: str, message: str) -> bytes:
    if not secret:
        raise Misconfigured(
            "IMPASTO_SECRET_KEY is empty: set it to a long random text, and keep it."
        )
    return new(secret.encode(), message.encode(), sha256).digest()
