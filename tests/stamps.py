"""An authority for time stamps (RFC 3161) on the loopback interface; openssl makes the answers."""

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from threading import Lock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.loopback import Received, reply
from tests.unit.test_signers import signs

DAY = timedelta(days=1)
ANSWER = "application/timestamp-reply"

needs_openssl = pytest.mark.skipif(
    which("openssl") is None, reason="the program openssl makes the authority's answers"
)

CONFIG = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_cert = {folder}/stamps.pem
certs = {folder}/root.pem
signer_key = {folder}/key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = {digests}
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """One with a root of its own, and a certificate for nothing but time stamps."""

    def __init__(self, folder: Path, *, digests: str = "sha256, sha384, sha512") -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._turn = folder, Lock()
        root_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
        now = datetime.now(UTC)
        start, end = now - DAY, now + DAY
        root = (
            x509.CertificateBuilder(_name("root"), _name("root"), root_key.public_key(), 1)
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(root_key, SHA256())
        )
        leaf = (
            x509.CertificateBuilder(_name("root"), _name("stamps"), key.public_key(), 2)
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signs(), critical=True)  # c2pa takes stamps by no other key
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
            .add_extension(_of(root_key.public_key()), critical=False)
            .sign(root_key, SHA256())
        )
        self.root = root.public_bytes(Encoding.PEM).decode()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for name, content in {
            "root.pem": self.root.encode(),
            "stamps.pem": leaf.public_bytes(Encoding.PEM),
            "key.pem": secret,
            "serial": b"01\n",
            "tsa.cnf": CONFIG.format(folder=folder, digests=digests).encode(),
        }.items():
            (folder / name).write_bytes(content)

    def answer(self, query: bytes) -> bytes:
        """What RFC 3161 has an authority say to a query: a stamp, or a refusal."""
        with self._turn:  # openssl counts its answers in a file
            asked, told = self._folder / "query.tsq", self._folder / "reply.tsr"
            asked.write_bytes(query)
            files = [f"-config={self._folder / 'tsa.cnf'}", f"-queryfile={asked}", f"-out={told}"]
            words = [part for one in files for part in one.split("=", 1)]
            subprocess.run(["openssl", "ts", "-reply", *words], check=True, capture_output=True)
            return told.read_bytes()

    def __call__(self, received: Received) -> Iterable[bytes]:
        assert received.headers["content-type"] == "application/timestamp-query"
        yield reply(200, self.answer(received.body), Content_Type=ANSWER)


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Clockmakers")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _of(key: EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
