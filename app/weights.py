"""
Signatures of weights: who vouches for the files of a catalog, and how somebody else comes to.

The format is OpenSSF Model Signing's, with a key: a Sigstore bundle around a DSSE envelope around
an in-toto statement that names each file and its SHA-256. `model_signing verify key` reads what
`sign` writes, and `Trust` what `model_signing sign key` does; ADR 38 says why its library is not
here.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from pydantic import Base64Bytes, BaseModel, Field, ValidationError, model_validator

from app.errors import Misconfigured, WeightsUntrusted
from app.settings import CATALOG, WeightSettings

SHIPPED: Final = CATALOG / "weights.pub"  #: of our own catalog: another one cannot bring its key
UNSIGNED: Final = ("README.md",)  #: prose, which the wheel leaves out

HASHES: Final[dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://model_signing/signature/v1.0"


class Resource(BaseModel):
    """One signed file."""

    name: str
    algorithm: Literal["sha256"]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Predicate(BaseModel):
    """What a statement says of a folder."""

    resources: Annotated[list[Resource], Field(min_length=1)]


class Subject(BaseModel):
    """The folder, by the digest of its files' digests."""

    name: str
    digest: dict[str, str]


class Statement(BaseModel):
    """What was signed."""

    kind: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    predicateType: Literal["https://model_signing/signature/v1.0"]
    subject: Annotated[list[Subject], Field(min_length=1, max_length=1)]
    predicate: Predicate

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.subject[0].digest.get("sha256") != _root(self.predicate.resources):
            raise ValueError("the digest of the whole is not that of its files")
        return self


class Signature(BaseModel):
    """ECDSA in DER."""

    sig: Base64Bytes


class Envelope(BaseModel):
    """A statement as bytes, and who signed them."""

    payload: Base64Bytes
    payloadType: Literal["application/vnd.in-toto+json"]
    signatures: Annotated[list[Signature], Field(min_length=1, max_length=1)]


class PublicKeyHint(BaseModel):
    """SHA-256 of the public key's PEM."""

    hint: str


class Material(BaseModel):
    """What a verifier needs beside the envelope."""

    publicKey: PublicKeyHint


class Bundle(BaseModel):
    """A signature as it lies in its file."""

    mediaType: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verificationMaterial: Material
    dsseEnvelope: Envelope


class Trust:
    """Whose signatures are taken here, and whether styles that nobody signed are."""

    def __init__(self, keys: Iterable[Path], *, unsigned_styles: bool = True) -> None:
        """Raises `Misconfigured` for a file that is no public key on a NIST curve, in PEM."""
        self._keys = {_hint(key): key for key in map(_public_key, keys)}
        self.unsigned_styles = unsigned_styles

    def files(self, signature: Path) -> Mapping[str, str]:
        """
        The SHA-256 of each file that `signature` vouches for, by name in its folder.

        Raises `WeightsUntrusted`: no signature, a broken one, or one of somebody unknown.
        """
        bundle = _bundle(signature)
        hint, envelope = bundle.verificationMaterial.publicKey.hint, bundle.dsseEnvelope
        key = self._keys.get(hint)
        if key is None:
            raise WeightsUntrusted(
                f"{signature} was made with a key that nobody here trusts ({hint[:12]}...). If it "
                "is yours, name its public half in IMPASTO_WEIGHTS__TRUSTED_KEYS."
            )
        try:
            key.verify(envelope.signatures[0].sig, _encoded(envelope.payload), _algorithm(key))
            statement = Statement.model_validate_json(envelope.payload)
        except (InvalidSignature, ValidationError) as error:
            raise WeightsUntrusted(
                f"{signature} does not hold: it was changed after it was made. Restore the "
                "catalog from its release."
            ) from error
        return {one.name: one.digest for one in statement.predicate.resources}


def trust(settings: WeightSettings) -> Trust:
    """Our own key, and those that the settings name."""
    return Trust((SHIPPED, *settings.trusted_keys), unsigned_styles=settings.unsigned_styles)


def check(path: Path, content: bytes, signed: Mapping[str, str]) -> None:
    """Raises `WeightsUntrusted` unless `content` is what was signed under the name of `path`."""
    if sha256(content).hexdigest() != signed.get(path.name):
        raise WeightsUntrusted(
            f"{path} is not the file that was signed. Restore it from its release; if the change "
            "is yours, vouch for it: impasto weights sign --key YOURS.pem."
        )


def sign(folder: Path, signature: Path, key: EllipticCurvePrivateKey) -> list[str]:
    """Vouch with `key` for what lies in `folder`; returns the names of its files."""
    left_out = [*UNSIGNED, signature.name]
    names = sorted(one.name for one in folder.iterdir() if one.name not in left_out)
    resources = [
        Resource(name=one, algorithm="sha256", digest=_digest(folder / one)) for one in names
    ]
    payload = json.dumps(_statement(folder.name, resources, left_out)).encode()
    sealed = key.sign(_encoded(payload), _algorithm(key.public_key()))
    signature.write_text(json.dumps(_bundled(payload, sealed, key.public_key())) + "\n")
    return names


def private_key(path: Path) -> EllipticCurvePrivateKey:
    """Raises `Misconfigured` for what is not a private key in PEM, on a NIST curve, unencrypted."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(f"{path} is no private key that can be read: {error}") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name not in HASHES:
        raise Misconfigured(f"{path} is not a key for ECDSA on {', '.join(HASHES)}.")
    return key


def _public_key(path: Path) -> EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} is no public key that can be read: {error}") from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in HASHES:
        raise Misconfigured(f"{path} is not a key for ECDSA on {', '.join(HASHES)}.")
    return key


def _bundle(signature: Path) -> Bundle:
    try:
        return Bundle.model_validate_json(signature.read_bytes())
    except FileNotFoundError as error:
        raise WeightsUntrusted(
            f"{signature} is missing, so nobody vouches for these weights. Restore it from the "
            "release; for weights of your own: impasto weights sign --key YOURS.pem."
        ) from error
    except (OSError, ValidationError) as error:
        raise WeightsUntrusted(f"{signature} is no signature that can be read: {error}") from error


def _hint(key: EllipticCurvePublicKey) -> str:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return sha256(key.public_bytes(serialization.Encoding.PEM, public)).hexdigest()


def _algorithm(key: EllipticCurvePublicKey) -> ECDSA:
    return ECDSA(HASHES[key.curve.name]())


def _encoded(payload: bytes) -> bytes:
    """DSSE's encoding before authentication."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _root(resources: Iterable[Resource]) -> str:
    return sha256(b"".join(bytes.fromhex(one.digest) for one in resources)).hexdigest()


def _statement(name: str, resources: list[Resource], left_out: list[str]) -> dict[str, Any]:
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": _root(resources)}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": left_out,
            },
            "resources": [one.model_dump() for one in resources],
        },
    }


def _bundled(payload: bytes, sealed: bytes, key: EllipticCurvePublicKey) -> dict[str, Any]:
    return {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": b64encode(sealed).decode(), "keyid": ""}],
        },
    }
