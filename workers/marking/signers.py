"""Who signs: a key in a file, or somebody behind HTTP who keeps it (a KMS, an HSM)."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import local
from typing import Final

import httpx2
from c2pa import C2paError, C2paSignerInfo, C2paSigningAlg, Signer

from app.errors import Misconfigured, SignerAway
from app.settings import MarkingSettings
from workers.marking.certificates import CHAIN, KEY, Certificate, development

LONGEST_SIGNATURE: Final = 256  #: bytes; ES256 has 64, or some 72 in DER


@dataclass(frozen=True)
class Seal:
    """A signer with its certificate. Any thread may sign."""

    signer: Signer
    certificate: Certificate
    own: bool  #: our certificate for development
    #: Why the last signature of this thread failed, if it was not the picture's doing.
    trouble: Callable[[], SignerAway | None] = lambda: None
    close: Callable[[], None] = lambda: None


def open_seal(settings: MarkingSettings) -> Seal:
    """
    What outputs are signed with.

    Raises `Misconfigured` for a certificate without a signer, a signer without one, or no key.
    """
    given = settings.certificate, settings.key or settings.signer_url
    if not any(given):
        folder = development(settings.development)
        own = settings.model_copy(
            update={"certificate": folder / CHAIN, "key": folder / KEY, "signer_url": None}
        )
        return _opened(own, own=True)
    if not all(given) or (settings.key and settings.signer_url):
        raise Misconfigured(
            "IMPASTO_MARKING__CERTIFICATE goes with either IMPASTO_MARKING__KEY or "
            "IMPASTO_MARKING__SIGNER_URL; give two of them, or none."
        )
    return _opened(settings, own=False)


def _opened(settings: MarkingSettings, *, own: bool) -> Seal:
    if settings.certificate is None:
        raise Misconfigured("There is no certificate to sign with.")
    certificate = Certificate.read(settings.certificate)
    if certificate.expired:
        raise Misconfigured(f"{settings.certificate} has expired on {certificate.until:%Y-%m-%d}.")
    stamp = str(settings.timestamp_url) if settings.timestamp_url else None
    try:
        if settings.key is None:
            return _remote(settings, certificate, stamp)
        secret = settings.key.read_bytes()
        chain = certificate.chain.encode()
        signer = Signer.from_info(C2paSignerInfo(C2paSigningAlg.ES256, chain, secret, stamp))
    except (OSError, C2paError) as error:
        raise Misconfigured(f"Outputs cannot be signed with this key: {error}") from error
    return Seal(signer, certificate, own)


def _remote(settings: MarkingSettings, certificate: Certificate, stamp: str | None) -> Seal:
    """c2pa hears of a failed signature only that it failed; the reason waits for who asks."""
    remote, troubles = RemoteKey(settings), local()

    def sign(content: bytes) -> bytes:
        try:
            return remote.sign(content)
        except SignerAway as error:
            troubles.last = error
            raise

    def trouble() -> SignerAway | None:
        error: SignerAway | None = getattr(troubles, "last", None)
        troubles.last = None
        return error

    signer = Signer.from_callback(sign, C2paSigningAlg.ES256, certificate.chain, stamp)
    return Seal(signer, certificate, own=False, trouble=trouble, close=remote.close)


class RemoteKey:
    """
    A key behind HTTP: `POST` takes the bytes to sign, and answers with the ES256 signature.

    64 bytes (r and s) or DER, as SHA-256 of the body by that key. One connection a thread is kept.
    """

    def __init__(self, settings: MarkingSettings) -> None:
        token = settings.signer_token.get_secret_value()
        headers = {"content-type": "application/octet-stream"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._url = str(settings.signer_url)
        self._http = httpx2.Client(headers=headers, timeout=settings.signer_seconds)

    def sign(self, content: bytes) -> bytes:
        """Raises `SignerAway`."""
        try:
            answer = self._http.post(self._url, content=content)
        except httpx2.TransportError as error:
            raise SignerAway(f"Who signs does not answer: {error}") from error
        if answer.status_code != httpx2.codes.OK:
            raise SignerAway(f"Who signs answered {answer.status_code}.")
        if not 0 < len(answer.content) <= LONGEST_SIGNATURE:
            raise SignerAway(f"Who signs answered {len(answer.content)} bytes, no signature.")
        return answer.content

    def close(self) -> None:
        self._http.close()
