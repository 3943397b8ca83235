"""What ships computes what was trained, and its cards tell the truth about it."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("onnxruntime", reason="the training extra is not installed")
pytest.importorskip("onnx", reason="the training extra is not installed")

import onnxruntime

from training.checkpoint import save
from training.config import Config
from training.export import LIMITS, Shipped, export, parity, parity_of_parts, parts
from training.graph import build, build_statistics, build_tiles
from training.model import StyleTable, Stylizer, reach
from training.sketch import IR_VERSION, OPSET
from training.train import Folders, Trainer


def session_of(network: Stylizer, table: StyleTable) -> Any:
    model = build(network, table.identity).SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def load(model: Any) -> Any:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def stylized(session: Any, content: Any, style: Any, strength: list[float]) -> Any:
    feeds = {"content": content, "style": style, "strength": np.array(strength, np.float32)}
    return session.run(None, feeds)[0]


def test_onnx_runtime_agrees_with_pytorch_over_sizes_and_mixed_styles(
    network: Stylizer, table: StyleTable
) -> None:
    model = build(network, table.identity).SerializeToString()
    found = parity(model, Shipped(network, table.identity), table.styles.detach())
    assert all(found[name] <= LIMITS[name] for name in found), found


def test_tiles_with_the_pictures_statistics_are_the_picture(
    network: Stylizer, table: StyleTable
) -> None:
    model = build(network, table.identity).SerializeToString()
    graphs = parts(network, table.identity)
    found = parity_of_parts(model, graphs, table.styles.detach())
    assert found["tiles_max"] <= LIMITS["tiles_max"], found
    assert found["half_mean"] <= LIMITS["half_mean"], found


#: What TensorRT's parser took of our operators from version 8.4 on (onnx-tensorrt, operators.md).
TENSORRT = {
    *("Add", "Cast", "Clip", "Concat", "Conv", "Div", "InstanceNormalization", "Mul", "Pad"),
    *("ReduceMean", "Relu", "Reshape", "Resize", "Round", "Shape", "Slice", "Split", "Sqrt"),
    *("Squeeze", "Sub", "Transpose", "Unsqueeze"),
}


def test_no_graph_holds_what_tensorrt_would_leave(network: Stylizer, table: StyleTable) -> None:
    half = build(network, table.identity, half=True)
    graphs = [build(network, table.identity), half, build_tiles(network, half=True)]
    for model in (*graphs, build_statistics(network, table.identity)):
        assert {node.op_type for node in model.graph.node} <= TENSORRT
    fixed = {tensor.name for tensor in half.graph.initializer}
    norms = [node for node in half.graph.node if node.op_type == "InstanceNormalization"]
    assert norms
    assert all(set(node.input[1:]) <= fixed for node in norms)


def test_every_shape_of_every_graph_is_inferred(network: Stylizer, table: StyleTable) -> None:
    pytest.importorskip("sympy", reason="ONNX Runtime's symbolic shapes need it")
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    for model in (
        build(network, table.identity),
        build(network, table.identity, half=True),
        build_tiles(network),
        build_statistics(network, table.identity),
    ):
        graph = SymbolicShapeInference.infer_shapes(model, auto_merge=True).graph
        known = {value.name for value in (*graph.value_info, *graph.output)}
        assert {name for node in graph.node for name in node.output} <= known


def test_no_pixel_changes_what_lies_beyond_the_reach(network: Stylizer, table: StyleTable) -> None:
    rng = np.random.default_rng(3)
    content = rng.integers(0, 256, (1, 40, 160, 3), dtype=np.uint8)
    other = content.copy()
    other[:, :, :80] = rng.integers(0, 256, (1, 40, 80, 3), dtype=np.uint8)
    feeds = {"style": table.styles[:1].detach().numpy(), "strength": np.ones(1, np.float32)}
    affine = load(build_statistics(network, table.identity)).run(None, {"content": content} | feeds)
    tiles = load(build_tiles(network))
    one, two = (
        tiles.run(None, {"content": each, "affine": affine[0]})[0] for each in (content, other)
    )
    beyond = 80 + reach(network.shape)
    assert np.array_equal(one[:, :, beyond:], two[:, :, beyond:])
    assert not np.array_equal(one[:, :, 80:beyond], two[:, :, 80:beyond])


def test_strength_zero_returns_every_byte(network: Stylizer, table: StyleTable) -> None:
    content = np.random.default_rng(1).integers(0, 256, (2, 37, 50, 3), dtype=np.uint8)
    style = table.styles[:2].detach().numpy()
    assert np.array_equal(stylized(session_of(network, table), content, style, [0, 0]), content)


def test_the_identity_embedding_returns_every_byte_at_any_strength(
    network: Stylizer, table: StyleTable
) -> None:
    content = np.random.default_rng(2).integers(0, 256, (1, 32, 41, 3), dtype=np.uint8)
    style = table.identity.detach().numpy()[None]
    assert np.array_equal(stylized(session_of(network, table), content, style, [0.7]), content)


def test_the_contract_is_in_the_file(network: Stylizer, table: StyleTable) -> None:
    model = build(network, table.identity)
    session = session_of(network, table)
    assert {i.name: (i.type, i.shape) for i in session.get_inputs()} == {
        "content": ("tensor(uint8)", ["N", "H", "W", 3]),
        "style": ("tensor(float)", ["N", network.shape.embedding_size]),
        "strength": ("tensor(float)", ["N"]),
    }
    out = session.get_outputs()[0]
    assert (out.name, out.type, out.shape) == ("stylized", "tensor(uint8)", ["N", "H", "W", 3])
    assert (model.opset_import[0].version, model.ir_version) == (OPSET, IR_VERSION)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_the_same_weights_are_the_same_bytes(network: Stylizer, table: StyleTable) -> None:
    one, two = (build(network, table.identity).SerializeToString() for _ in range(2))
    assert one == two


def test_export_writes_a_catalog_that_agrees_with_itself(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    trainer = Trainer(config, folders, "cpu", bf16=False)
    save(tmp_path / "checkpoint.pt", trainer.checkpoint())
    trainer.config = config
    folder = export(tmp_path / "checkpoint.pt", folders.styles, tmp_path / "catalog")

    card = json.loads((folder / "model.json").read_text())
    model = (folder / "model.onnx").read_bytes()
    assert folder.name == "tiny-0.0.1"
    assert card["digest"] == hashlib.sha256(model).hexdigest()
    assert card["bytes"] == len(model)
    assert card["parity"]["max"] <= 2
    for entry in card["graphs"].values():
        assert entry["digest"] == hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest()
    assert card["training"]["styles"] == ["identity", "great-wave", "scream"]

    style = json.loads((tmp_path / "catalog/styles/scream.json").read_text())
    entry = style["embeddings"]["tiny-0.0.1"]
    floats = np.frombuffer(base64.b64decode(entry["base64"]), "<f4")
    assert entry["shape"] == [card["embedding_size"]]
    assert np.array_equal(floats, trainer.table.styles[1].detach().numpy())
    picture = (folders.styles / style["style_image"]["file_name"]).read_bytes()
    assert style["style_image"]["sha256"] == hashlib.sha256(picture).hexdigest()


def test_exporting_again_changes_no_byte(config: Config, folders: Folders, tmp_path: Path) -> None:
    save(tmp_path / "checkpoint.pt", Trainer(config, folders, "cpu", bf16=False).checkpoint())
    seen = []
    for _ in range(2):
        export(tmp_path / "checkpoint.pt", folders.styles, tmp_path / "catalog")
        files = [path for path in (tmp_path / "catalog").rglob("*") if path.is_file()]
        seen.append({path.name: path.read_bytes() for path in files})
    assert seen[0] == seen[1]
