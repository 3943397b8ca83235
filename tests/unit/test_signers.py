"""Who signs: a certificate of our own, a given one, or somebody behind HTTP."""

import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.credentials import State, read, reading
from app.errors import Misconfigured, SignerAway
from app.settings import MarkingSettings
from tests import kms
from tests.loopback import Received, reply, serving
from tests.unit.test_marking import drawn, mark
from workers.marking.certificates import CHAIN, KEY, ROOT, Certificate, development
from workers.marking.notary import Notary, open_notary

DAY = timedelta(days=1)
C2PA = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Brand"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


class Office:
    """A certificate authority of a test, with one customer."""

    def __init__(
        self,
        folder: Path,
        *,
        purposes: Sequence[x509.ObjectIdentifier] = (C2PA,),
        until: datetime | None = None,
        curve: type[EllipticCurve] = SECP256R1,
    ) -> None:
        authority, self.key = generate_private_key(SECP256R1()), generate_private_key(curve())
        now = datetime.now(UTC)
        root = (
            x509.CertificateBuilder(
                name("root"), name("root"), authority.public_key(), 1, now - 9 * DAY, now + DAY
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(authority, SHA256())
        )
        leaf = (
            x509.CertificateBuilder(
                name("root"),
                name("signer"),
                self.key.public_key(),
                2,
                now - 2 * DAY,
                until or now + DAY,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signs(), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
                critical=False,
            )
            .sign(authority, SHA256())
        )
        self.chain, self.secret = folder / "chain.pem", folder / "key.pem"
        self.root = root.public_bytes(Encoding.PEM).decode()
        self.chain.write_bytes(leaf.public_bytes(Encoding.PEM))
        form = PrivateFormat.PKCS8, NoEncryption()
        self.secret.write_bytes(self.key.private_bytes(Encoding.PEM, *form))

    def settings(self, **changes: Any) -> MarkingSettings:
        return MarkingSettings(**{"certificate": self.chain, "key": self.secret, **changes})

    def sign(self, received: Received) -> Iterable[bytes]:
        """What a KMS behind HTTP does."""
        assert isinstance(self.key, EllipticCurvePrivateKey)
        yield reply(200, self.key.sign(received.body, ECDSA(SHA256())))


def signs() -> x509.KeyUsage:
    """What a certificate says whose key signs, and does nothing else."""
    rest = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, **rest)


def opened(settings: MarkingSettings) -> Notary:
    notary = open_notary(settings)
    assert notary is not None
    return notary


def state(notary: Notary, root: str) -> State:
    sealed = notary.mark(drawn(), mark())
    return read(BytesIO(sealed.content), "image/jpeg", reading(root)).state


def test_a_certificate_of_our_own_is_made_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: development(tmp_path / "var" / "marking"), range(8)))
    [folder] = folders
    assert sorted(path.name for path in folder.iterdir()) == [CHAIN, KEY, ROOT]
    assert [path.name for path in folder.parent.iterdir()] == ["marking"]
    assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600
    first = Certificate.read(folder / CHAIN)
    assert Certificate.read(development(folder) / CHAIN) == first
    assert first.until - datetime.now(UTC) > 3000 * DAY


def test_no_place_for_it_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured, match="IMPASTO_MARKING__DEVELOPMENT"):
        development(tmp_path / "file" / "marking")


def test_a_given_certificate_signs(tmp_path: Path) -> None:
    office = Office(tmp_path)
    notary = opened(office.settings())
    assert not notary.own_certificate
    assert state(notary, office.root) is State.TRUSTED


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"purposes": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "certificate is invalid"),
        ({"curve": SECP384R1}, "P-256"),
        ({"until": datetime.now(UTC) - DAY}, "expired"),
    ],
)
def test_what_cannot_sign_is_refused_at_the_start(
    tmp_path: Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words):
        open_notary(Office(tmp_path, **given).settings())


def test_half_of_what_it_takes_is_refused(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for changes in ({"key": None}, {"certificate": None}, {"signer_url": "http://127.0.0.1:9/"}):
        with pytest.raises(Misconfigured, match="IMPASTO_MARKING__KEY"):
            open_notary(office.settings(**changes))


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for changes in ({"certificate": office.secret}, {"certificate": tmp_path / "none"}):
        with pytest.raises(Misconfigured, match="PEM"):
            open_notary(office.settings(**changes))
    with pytest.raises(Misconfigured, match="key"):
        open_notary(office.settings(key=office.chain))
    with pytest.raises(Misconfigured, match="key"):
        open_notary(office.settings(key=tmp_path / "none"))


def test_anothers_key_does_not_sign_for_us(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    office, other = Office(tmp_path), Office(tmp_path / "other")
    with pytest.raises(Misconfigured, match="read back"):
        open_notary(office.settings(key=other.secret))


def test_somebody_behind_http_may_sign(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with serving(office.sign) as signer:
        settings = office.settings(key=None, signer_url=signer.url, signer_token="s3cret")
        with opened(settings) as notary:
            assert state(notary, office.root) is State.TRUSTED
    assert {one.headers["authorization"] for one in signer.received} == {"Bearer s3cret"}
    assert {one.headers["content-type"] for one in signer.received} == {"application/octet-stream"}


@pytest.mark.parametrize("raw", [False, True], ids=["DER", "raw"])
def test_a_key_that_is_in_another_process_signs(tmp_path: Path, raw: bool) -> None:
    office = Office(tmp_path)
    with kms.running(office.secret, raw=raw) as its:
        office.secret.unlink()
        settings = office.settings(key=None, signer_url=its.url, signer_token=kms.TOKEN)
        with opened(settings) as notary:
            with ThreadPoolExecutor(4) as threads:
                states = set(threads.map(lambda _: state(notary, office.root), range(12)))
            assert states == {State.TRUSTED}
            its.end()
            with pytest.raises(SignerAway, match="does not answer"):
                notary.mark(drawn(), mark())


def test_a_key_behind_a_token_is_not_everybodys(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with kms.running(office.secret) as its:
        settings = office.settings(key=None, signer_url=its.url, signer_token="guessed")
        with opened(settings) as notary, pytest.raises(SignerAway, match="answered 401"):
            notary.mark(drawn(), mark())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(503), "answered 503"),
        (reply(200, b""), "0 bytes"),
        (reply(200, b"x" * 9_999), "9999 bytes"),
        (reply(200, b"x" * 64), "read back"),
    ],
)
def test_who_signs_badly_is_asked_again_later(tmp_path: Path, answer: bytes, words: str) -> None:
    office = Office(tmp_path)
    broken = False

    def script(received: Received) -> Iterable[bytes]:
        yield from [answer] if broken else office.sign(received)

    with serving(script) as its, opened(office.settings(key=None, signer_url=its.url)) as notary:
        broken = True
        with pytest.raises(SignerAway, match=words):
            notary.mark(drawn(), mark())
        broken = False
        assert state(notary, office.root) is State.TRUSTED


def test_nobody_there_to_sign_is_no_reason_not_to_start(tmp_path: Path) -> None:
    settings = Office(tmp_path).settings(key=None, signer_url="http://127.0.0.1:9/")
    with opened(settings) as notary, pytest.raises(SignerAway, match="does not answer"):
        notary.mark(drawn(), mark())


def test_a_time_stamping_authority_that_is_away_is_asked_again_later(tmp_path: Path) -> None:
    notary = opened(Office(tmp_path).settings(timestamp_url="http://127.0.0.1:9/"))
    with pytest.raises(SignerAway, match="stamped"):
        notary.mark(drawn(), mark())


def test_a_photograph_signed_by_a_stranger_costs_its_output_no_trust(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    office, stranger = Office(tmp_path), Office(tmp_path / "other")
    before = opened(stranger.settings()).mark(drawn(), mark())
    told = mark(content_type="image/jpeg")
    after = opened(office.settings()).mark(drawn(), told, incoming=before.content)
    found = read(BytesIO(after.content), "image/jpeg", reading(office.root))
    assert (found.state, found.earlier) == (State.TRUSTED, 1)
