"""Catalogs of tests, signed with keys that are thrown away."""

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app import weights
from app.catalog import STYLES_SIGNATURE, signed_folders


def key_pair(folder: Path, curve: ec.EllipticCurve | None = None) -> tuple[Path, Path]:
    """A private and a public key in PEM."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    private, public = folder / "house.pem", folder / "house.pub"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(pem, form))
    return private, public


def vouch(catalog: Path, *, styles_only: bool = False) -> dict[str, str]:
    """Sign a catalog; returns what a process must be told to take it. The key stays beside it."""
    private, public = key_pair(catalog.parent)
    for folder, signature in signed_folders(catalog).items():
        if not styles_only or signature.name == STYLES_SIGNATURE:
            weights.sign(folder, signature, weights.private_key(private))
    return {"IMPASTO_WEIGHTS__TRUSTED_KEYS": json.dumps([str(public)])}
