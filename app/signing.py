"""Signatures of our own: links that expire, and webhook keys that need no storing."""

from base64 import b64encode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest, new
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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


@lru_cache(1024)
def endpoint_secret(secret_key: str, endpoint_id: UUID, generation: int) -> str:
    """The Standard Webhooks secret of one endpoint (`v1`); a new `generation` is a rotated one."""
    digest = _hmac(secret_key, f"webhook-endpoint:{endpoint_id}:{generation}")
    return "whsec_" + b64encode(digest).decode()


@lru_cache(1024)  # making one takes as long as a signature
def endpoint_key(secret_key: str, endpoint_id: UUID, generation: int) -> Ed25519PrivateKey:
    """What signs for one endpoint so that its owner cannot (`v1a`)."""
    digest = _hmac(secret_key, f"webhook-endpoint-ed25519:{endpoint_id}:{generation}")
    return Ed25519PrivateKey.from_private_bytes(digest)


def public_text(key: Ed25519PrivateKey) -> str:
    """What a receiver verifies `v1a` with, as Standard Webhooks writes it."""
    return "whpk_" + b64encode(key.public_key().public_bytes_raw()).decode()


def _signature(path: str, expires: int, secret: str) -> str:
    digest = _hmac(secret, f"{path}\n{expires}")
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _hmac(secret: str, message: str) -> bytes:
    if not secret:
        raise Misconfigured(
            "IMPASTO_SECRET_KEY is empty: set it to a long random text, and keep it."
        )
    return new(secret.encode(), message.encode(), sha256).digest()
