"""Links that expire, and secrets that nobody stores."""

from base64 import b64decode
from uuid import UUID

import pytest

from app.errors import Misconfigured, Unauthorized
from app.signing import sign, verify, webhook_secret

SECRET = "a long random text that the operator keeps"
PATH = "/v1/assets/0b5c"
TENANT = UUID(int=7)


def signature(path: str = PATH, *, secret: str = SECRET, expires: int = 1_000) -> str:
    return sign(path, secret=secret, expires=expires).rpartition("signature=")[2]


def test_a_link_is_what_a_cdn_expects_byte_for_byte() -> None:
    # printf "$PATH\n1000" | openssl dgst -sha256 -hmac "$SECRET" -binary | basenc --base64url
    assert sign(PATH, secret=SECRET, expires=1_000) == (
        "expires=1000&signature=iwBUqXZ96xr7Vhs9jyJqh5mcI_nd6FRTuP6PClG9Y-s"
    )


def test_a_link_opens_until_the_second_it_expires() -> None:
    verify(PATH, 1_000, signature(), secret=SECRET, now=999.9)
    with pytest.raises(Unauthorized, match="expired"):
        verify(PATH, 1_000, signature(), secret=SECRET, now=1_000)


@pytest.mark.parametrize(
    ("path", "expires", "forged"),
    [
        ("/v1/assets/0b5d", 1_000, signature()),
        (PATH, 1_001, signature()),
        (PATH, 1_000, signature(secret="another")),
        (PATH, 1_000, signature()[:-1]),
        (PATH, 1_000, ""),
        (PATH, 1_000, "é"),
        (f"{PATH}\n1", 1_000, signature()),
    ],
)
def test_a_signature_opens_one_path_until_one_moment(path: str, expires: int, forged: str) -> None:
    with pytest.raises(Unauthorized, match="does not match"):
        verify(path, expires, forged, secret=SECRET, now=0)


def test_an_expired_forgery_is_not_told_that_it_expired() -> None:
    with pytest.raises(Unauthorized, match="does not match"):
        verify(PATH, 1_000, "forged", secret=SECRET, now=2_000)


def test_nothing_is_signed_with_an_empty_key() -> None:
    with pytest.raises(Misconfigured, match="IMPASTO_SECRET_KEY"):
        sign(PATH, secret="", expires=1_000)


def test_a_webhook_secret_is_32_bytes_as_the_standard_writes_them() -> None:
    prefix, _, key = webhook_secret(SECRET, TENANT, 1).partition("_")
    assert prefix == "whsec"
    assert len(b64decode(key, validate=True)) == 32


def test_a_webhook_secret_belongs_to_one_tenant_and_one_generation() -> None:
    secrets = {
        webhook_secret(SECRET, TENANT, 1),
        webhook_secret(SECRET, TENANT, 2),
        webhook_secret(SECRET, UUID(int=8), 1),
        webhook_secret("another", TENANT, 1),
    }
    assert len(secrets) == 4
    assert webhook_secret(SECRET, TENANT, 1) in secrets
