"""What lies in the catalog is what its cards say, and an engine can load it without PyTorch."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="no engine is installed")
pytest.importorskip("onnxruntime", reason="no engine is installed")

import numpy as np
import onnxruntime

CATALOG = Path(__file__).parents[2] / "catalog"
FOLDERS = sorted(path.parent for path in CATALOG.glob("stylizers/*/model.json"))
STYLES = sorted(CATALOG.glob("styles/*.json"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def embedding(style: Path, stylizer: str) -> Any:
    entry = read(style)["embeddings"][stylizer]
    return np.frombuffer(base64.b64decode(entry["base64"]), "<f4").reshape(entry["shape"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_a_stylizer_is_the_file_that_its_card_describes(folder: Path) -> None:
    card, model = read(folder / "model.json"), (folder / "model.onnx").read_bytes()
    assert folder.name == f"{card['name']}-{card['version']}"
    assert (card["digest"], card["bytes"]) == (hashlib.sha256(model).hexdigest(), len(model))
    for entry in card["graphs"].values():
        graph = (folder / entry["file"]).read_bytes()
        assert (entry["digest"], entry["bytes"]) == (hashlib.sha256(graph).hexdigest(), len(graph))
    assert card["parity"]["mean"] <= 0.25
    assert card["parity"]["max"] <= 2


@pytest.mark.parametrize("style", STYLES, ids=lambda style: str(style.stem))
def test_a_style_has_a_licence(style: Path) -> None:
    card = read(style)
    assert style.stem in (card["slug"], f"{card['slug']}@{card['version']}")
    assert all(card["licence"].values())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_a_stylizer_has_an_embedding_for_every_style_it_learned(folder: Path) -> None:
    card = read(folder / "model.json")
    assert set(card["training"]["styles"]) <= {style.stem for style in styles_of(folder)}
    for style in styles_of(folder):
        assert embedding(style, folder.name).shape == (card["embedding_size"],)


def styles_of(folder: Path) -> list[Path]:
    return [style for style in STYLES if folder.name in read(style)["embeddings"]]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_styles_change_a_picture_and_the_identity_does_not(folder: Path) -> None:
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", providers=["CPUExecutionProvider"]
    )
    ramp = np.linspace(0, 255, 45 * 67 * 3).reshape(45, 67, 3).astype(np.uint8)
    styles = styles_of(folder)
    changed = {}
    for style in styles:
        feeds = {"content": ramp[None], "style": embedding(style, folder.name)[None]}
        feeds |= {"strength": np.ones(1, np.float32)}
        stylized = session.run(["stylized"], feeds)[0][0]
        changed[style.stem] = not np.array_equal(stylized, ramp)
    assert changed == {style.stem: style.stem != "identity" for style in styles}
