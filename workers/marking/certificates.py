"""The certificate that outputs are signed with: a given one, or one of our own for development."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.errors import Misconfigured

ORGANISATION: Final = "Impasto, for development"
LIFE: Final = timedelta(
    days=3650
)  #: without a time stamp, what it signed is valid as long as it is
CHAIN, KEY, ROOT = "chain.pem", "key.pem", "root.pem"


@dataclass(frozen=True)
class Certificate:
    """Who signs, for everybody to see; `fingerprint` is the SHA-256 of the leaf."""

    chain: str  #: PEM, leaf first
    fingerprint: str
    until: datetime

    @classmethod
    def read(cls, path: Path) -> "Certificate":
        """Raises `Misconfigured` for what no output can be signed with."""
        try:
            chain = path.read_bytes()
            leaf = x509.load_pem_x509_certificates(chain)[0]
        except (OSError, ValueError) as error:
            raise Misconfigured(f"{path} is no certificate chain in PEM: {error}") from error
        key = leaf.public_key()
        if not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
            raise Misconfigured(f"{path}: outputs are signed by ES256; get a P-256 certificate.")
        digest = sha256(leaf.public_bytes(Encoding.DER)).hexdigest()
        return cls(chain.decode(), digest, leaf.not_valid_after_utc)

    @property
    def expired(self) -> bool:
        return datetime.now(UTC) > self.until


def development(directory: Path) -> Path:
    """
    Where our own certificate lies: `chain.pem`, its `key.pem`, and `root.pem` for who would trust.

    Made on the first call, also by many processes at once: whoever is first wins. The root's key
    is forgotten at once, so that nobody signs another certificate by it. Raises `Misconfigured`.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        if not (directory / CHAIN).exists():
            _make(directory)
    except OSError as error:
        raise Misconfigured(
            f"No certificate for development can be kept in {directory}: {error}. Point "
            "IMPASTO_MARKING__DEVELOPMENT elsewhere, or IMPASTO_MARKING__CERTIFICATE to a real one."
        ) from error
    return directory


def _make(directory: Path) -> None:
    fresh = Path(mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    root_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    root, leaf = _root(root_key), _leaf(key, root_key)
    (fresh / ROOT).write_bytes(root.public_bytes(Encoding.PEM))
    (fresh / CHAIN).write_bytes(leaf.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(fresh / KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secret)
    try:
        fresh.rename(directory)
    except OSError:
        rmtree(fresh)
        if not (directory / CHAIN).exists():  # nobody was faster: something else is in the way
            raise


def _root(key: EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("root")
    usage = _usage(signs_certificates=True)
    return _certificate(name, name, key.public_key(), key, [(_ca(yes=True), True), (usage, True)])


def _leaf(key: EllipticCurvePrivateKey, root: EllipticCurvePrivateKey) -> x509.Certificate:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    extensions = [
        (_ca(yes=False), True),
        (_usage(signs_certificates=False), True),
        (purposes, False),
        (authority, False),
    ]
    return _certificate(_name("outputs"), _name("root"), key.public_key(), root, extensions)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePublicKey,
    signer: EllipticCurvePrivateKey,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    start = datetime.now(UTC) - timedelta(days=1)  # clocks differ
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + LIFE)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    for extension, critical in [(identifier, False), *extensions]:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, SHA256())


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION)
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _ca(*, yes: bool) -> x509.BasicConstraints:
    return x509.BasicConstraints(ca=yes, path_length=0 if yes else None)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
