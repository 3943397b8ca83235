"""The graphs that tiles need: held to their digests, their contract and each other."""

import json
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from app.catalog import Catalog
from app.errors import CatalogCorrupt
from app.settings import CATALOG, EngineSettings
from tests.unit.test_strips import gap, noise
from workers.engines import open_engine
from workers.engines.base import Engine
from workers.engines.null import NullEngine
from workers.engines.options import Wishes
from workers.engines.ort import OrtEngine

NAME = EngineSettings().stylizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The catalog that ships, ours to damage."""
    copytree(CATALOG, tmp_path / "catalog")
    return tmp_path / "catalog" / "stylizers" / NAME


def opened(folder: Path) -> Engine:
    return open_engine(EngineSettings(threads=1), Catalog(folder.parent.parent))


@pytest.mark.parametrize("name", ["statistics.onnx", "tiles.onnx"])
def test_a_changed_byte_refuses_to_start_and_names_the_file(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CatalogCorrupt, match=rf"{name} has digest .* its card says"):
        opened(folder)


def test_a_graph_cut_short_refuses_to_start(folder: Path) -> None:
    content = (folder / "tiles.onnx").read_bytes()
    (folder / "tiles.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(CatalogCorrupt, match=r"tiles\.onnx has digest"):
        opened(folder)


def test_graphs_that_were_mixed_up_refuse_to_start(folder: Path) -> None:
    card = folder / "model.json"
    facts = json.loads(card.read_text())
    graphs = facts["graphs"]
    graphs["tiles"], graphs["statistics"] = graphs["statistics"], graphs["tiles"]
    card.write_text(json.dumps(facts))
    with pytest.raises(CatalogCorrupt, match="a stylizer does not"):
        opened(folder)


def test_a_stylizer_without_further_graphs_draws_whole_pictures_only(folder: Path) -> None:
    stylizer = Catalog(CATALOG).stylizer(NAME)
    engine = OrtEngine(folder / "model.onnx", stylizer.digest, Wishes(threads=1))
    assert engine.reach is None
    engine.close()


def test_numbers_that_the_other_graph_does_not_take_refuse_to_start(folder: Path) -> None:
    stylizer = Catalog(CATALOG).stylizer(NAME)
    assert stylizer.draws_tiles
    _write_tiles_that_take(folder / "tiles.onnx", numbers=7)
    content = (folder / "tiles.onnx").read_bytes()
    card = folder / "model.json"
    digest = stylizer.graphs["tiles"].digest
    card.write_text(card.read_text().replace(digest, sha256(content).hexdigest()))
    with pytest.raises(CatalogCorrupt, match=r"finds \d+ numbers, .*tiles\.onnx takes 7"):
        opened(folder)


def _write_tiles_that_take(path: Path, numbers: int) -> None:
    """A graph with the contract of one that draws tiles; it answers with what it was given."""
    shape = ["N", "H", "W", 3]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["content"], ["stylized"])],
        "tiles",
        [
            helper.make_tensor_value_info("content", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("affine", TensorProto.FLOAT, ["N", numbers]),
        ],
        [helper.make_tensor_value_info("stylized", TensorProto.UINT8, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, path)


def test_the_null_engine_draws_parts_as_it_draws_pictures() -> None:
    engine, photo = NullEngine(), noise(40, 52, 3)
    affine = engine.measure(photo[None], np.zeros((1, 3), np.float32), np.ones(1, np.float32))
    assert gap(engine.paint(photo[None], affine)[0], photo) == 0
