"""Weights are loaded only if somebody whom we trust vouches for them."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from app import weights
from app.catalog import STYLES_SIGNATURE, Catalog, open_catalog, signed_folders
from app.cli import cli
from app.errors import CatalogCorrupt, Misconfigured, WeightsUntrusted
from app.settings import CATALOG, EngineSettings, Settings, WeightSettings
from app.weights import SHIPPED, Trust
from tests.vouching import key_pair, vouch
from workers.engines import open_engine

NAME = EngineSettings().stylizer
IMPASTO = [sys.executable, "-c", "from app.cli import main; main()"]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """The one that ships, ours to damage."""
    return copytree(CATALOG, tmp_path / "catalog")


def opened(catalog: Path, **trusted: Any) -> Catalog:
    return open_catalog(Settings(catalog=catalog, weights=WeightSettings(**trusted)))


def test_what_ships_is_vouched_for_down_to_its_bytes() -> None:
    trust = Trust([SHIPPED])
    for folder, signature in signed_folders(CATALOG).items():
        for name, digest in trust.files(signature).items():
            assert weights._digest(folder / name) == digest, name
    assert Trust([SHIPPED]).files(CATALOG / STYLES_SIGNATURE).keys() == {
        path.name for path in (CATALOG / "styles").iterdir()
    }


def test_the_catalog_of_a_process_is_vouched_for() -> None:
    assert opened(CATALOG).stylizer(NAME).digest


@pytest.mark.parametrize("path", [f"stylizers/{NAME}/model.json", "styles/great-wave.json"])
def test_a_card_that_was_changed_is_refused_and_named(catalog: Path, path: str) -> None:
    content = (catalog / path).read_text()
    (catalog / path).write_text(
        content.replace("0.0", "0.1", 1).replace('"title": "', '"title": "A')
    )
    assert (catalog / path).read_text() != content
    with pytest.raises(WeightsUntrusted, match=rf"{path}.* is not the file .*weights sign"):
        opened(catalog)


def test_a_network_that_was_changed_is_refused_also_with_its_digest_put_right(
    catalog: Path,
) -> None:
    folder = catalog / "stylizers" / NAME
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(CatalogCorrupt, match="has digest"):
        open_engine(EngineSettings(threads=1), opened(catalog))
    card = json.loads((folder / "model.json").read_text())
    card["digest"] = weights._digest(folder / "model.onnx")
    (folder / "model.json").write_text(json.dumps(card))
    open_engine(EngineSettings(threads=1), Catalog(catalog)).close()  # nothing else would notice
    with pytest.raises(WeightsUntrusted, match=r"model\.json is not the file"):
        opened(catalog)


@pytest.mark.parametrize("signature", [f"stylizers/{NAME}/model.sig", STYLES_SIGNATURE])
def test_a_missing_signature_is_refused_with_what_to_do(catalog: Path, signature: str) -> None:
    (catalog / signature).unlink()
    with pytest.raises(WeightsUntrusted, match=rf"{signature} is missing.*impasto weights sign"):
        opened(catalog)


def test_the_signature_of_somebody_unknown_is_refused_until_the_key_is_named(
    catalog: Path, tmp_path: Path
) -> None:
    vouch(catalog)
    with pytest.raises(WeightsUntrusted, match="IMPASTO_WEIGHTS__TRUSTED_KEYS"):
        opened(catalog)
    assert opened(catalog, trusted_keys=[tmp_path / "house.pub"]).styles


def test_a_catalog_cannot_bring_the_key_it_is_checked_with(catalog: Path, tmp_path: Path) -> None:
    vouch(catalog)
    (catalog / SHIPPED.name).write_bytes((tmp_path / "house.pub").read_bytes())
    with pytest.raises(WeightsUntrusted, match="nobody here trusts"):
        opened(catalog)


def _with(signature: Path, change: Any) -> None:
    bundle = json.loads(signature.read_text())
    envelope = bundle["dsseEnvelope"]
    change(bundle, envelope, json.loads(b64decode(envelope["payload"])))
    signature.write_text(json.dumps(bundle))


def _another_digest(bundle: Any, envelope: Any, statement: Any) -> None:
    statement["predicate"]["resources"][0]["digest"] = "0" * 64
    envelope["payload"] = b64encode(json.dumps(statement).encode()).decode()


def _another_seal(bundle: Any, envelope: Any, statement: Any) -> None:
    envelope["signatures"][0]["sig"] = b64encode(bytes(70)).decode()


def _no_seal(bundle: Any, envelope: Any, statement: Any) -> None:
    envelope["signatures"] = []


def _another_kind(bundle: Any, envelope: Any, statement: Any) -> None:
    envelope["payloadType"] = "text/plain"


def _no_hint(bundle: Any, envelope: Any, statement: Any) -> None:
    bundle["verificationMaterial"] = {"publicKey": {}}


@pytest.mark.parametrize(
    "change", [_another_digest, _another_seal, _no_seal, _another_kind, _no_hint]
)
def test_a_signature_that_was_changed_is_refused(catalog: Path, change: Any) -> None:
    signature = catalog / "stylizers" / NAME / "model.sig"
    _with(signature, change)
    with pytest.raises(WeightsUntrusted, match=r"does not hold|no signature that can be read"):
        opened(catalog)


def test_what_is_sealed_but_says_nonsense_is_refused(catalog: Path, tmp_path: Path) -> None:
    """Sealed by a trusted key: another statement of that key's must not pass for weights."""
    private, public = key_pair(tmp_path)
    signature = catalog / "stylizers" / NAME / "model.sig"
    key, payload = weights.private_key(private), b'{"_type": "https://in-toto.io/Statement/v1"}'
    seal = key.sign(weights._encoded(payload), weights._algorithm(key.public_key()))
    signature.write_text(json.dumps(weights._bundled(payload, seal, key.public_key())))
    with pytest.raises(WeightsUntrusted, match="does not hold"):
        opened(catalog, trusted_keys=[public])


def test_a_style_that_was_signed_and_is_gone_is_missed(catalog: Path) -> None:
    (catalog / "styles" / "scream.json").unlink()
    with pytest.raises(CatalogCorrupt, match=r"lacks scream\.json"):
        opened(catalog)


def test_a_style_of_ones_own_is_taken_unless_the_operator_says_no(catalog: Path) -> None:
    card = json.loads((catalog / "styles" / "scream.json").read_text())
    card |= {"slug": "harbour", "preview": None}
    (catalog / "styles" / "harbour.json").write_text(json.dumps(card))
    assert "harbour" in {style.slug for style in opened(catalog).styles}
    with pytest.raises(WeightsUntrusted, match=r"harbour\.json is not the file"):
        opened(catalog, unsigned_styles=False)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_what_we_sign_we_read(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    private, public = key_pair(tmp_path, curve)
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    (folder / "README.md").write_text("prose")
    signature = folder / "model.sig"
    assert weights.sign(folder, signature, weights.private_key(private)) == ["model.onnx"]
    assert Trust([public]).files(signature) == {
        "model.onnx": weights._digest(folder / "model.onnx")
    }


def test_what_is_no_key_of_this_kind_is_a_sentence(tmp_path: Path) -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    path = tmp_path / "ed25519.pub"
    path.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(Misconfigured, match="not a key for ECDSA"):
        Trust([path])
    for nothing in (tmp_path / "nowhere.pub", SHIPPED.with_name(STYLES_SIGNATURE)):
        with pytest.raises(Misconfigured, match="no public key that can be read"):
            Trust([nothing])
        with pytest.raises(Misconfigured, match="no private key that can be read"):
            weights.private_key(nothing)


def test_the_commands_sign_and_verify(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = key_pair(tmp_path)
    signed = CliRunner().invoke(cli, ["weights", "sign", f"--key={private}", str(catalog)])
    assert signed.output.count("files") == len(signed_folders(catalog))
    environment = {"IMPASTO_WEIGHTS__TRUSTED_KEYS": json.dumps([str(public)]), "PATH": ""}
    monkeypatch.setenv("IMPASTO_CATALOG", str(catalog))

    def verified(**more: str) -> "subprocess.CompletedProcess[str]":
        told = {"IMPASTO_CATALOG": str(catalog), "PYTHONPATH": str(CATALOG.parent)} | more
        return subprocess.run(
            [*IMPASTO, "weights", "verify"], env=told, capture_output=True, text=True
        )

    assert verified().returncode == 1
    assert verified(**environment).returncode == 0
    (catalog / "styles" / "mine.json").write_text("{}")
    assert "nobody signed mine.json" in verified(**environment).stdout
    (catalog / "stylizers" / NAME / "tiles.onnx").write_bytes(b"")
    assert "tiles.onnx is not the file that was signed" in verified(**environment).stderr


def test_the_library_of_the_format_agrees(catalog: Path, tmp_path: Path) -> None:
    """Both ways: it takes what we sign, and we what it does. In the `tools` environment."""
    signing = pytest.importorskip(
        "model_signing", reason="needs model-signing, of requirements-tools.lock"
    )
    private, public = key_pair(tmp_path)
    folder = catalog / "stylizers" / NAME
    signature = folder / "model.sig"
    weights.sign(folder, signature, weights.private_key(private))
    verifier = signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    verifier.verify(folder, signature)
    (folder / "tiles.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="tiles"):
        verifier.verify(folder, signature)
    signing.signing.Config().use_elliptic_key_signer(private_key=private).sign(folder, signature)
    assert Trust([public]).files(signature)["tiles.onnx"] == weights._digest(folder / "tiles.onnx")
