"""Eight bits keep the contract, touch the residual blocks only, and stay near the picture."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("onnxruntime", reason="the training extra is not installed")
pytest.importorskip("onnx", reason="the training extra is not installed")

import numpy as np
import onnx
import onnxruntime

from tests.training.conftest import draw
from training.graph import build
from training.model import StyleTable, Stylizer
from training.quantize import body, quantize


def test_only_the_residual_blocks_are_quantized(
    network: Stylizer, table: StyleTable, tmp_path: Path
) -> None:
    onnx.save(build(network, table.identity), tmp_path / "model.onnx")
    convolutions = [
        node.name
        for node in onnx.load(tmp_path / "model.onnx").graph.node
        if node.op_type == "Conv"
    ]
    assert body(tmp_path / "model.onnx") == convolutions[3:-3]
    assert len(convolutions[3:-3]) == len(network.body)


def test_eight_bits_draw_nearly_the_same_picture(
    network: Stylizer, table: StyleTable, tmp_path: Path
) -> None:
    onnx.save(build(network, table.identity), tmp_path / "model.onnx")
    photos = [tmp_path / f"{seed}.png" for seed in range(4)]
    for seed, photo in enumerate(photos):
        draw(photo, seed, side=64)
    styles = list(table.styles.detach().numpy())
    content = np.random.default_rng(1).integers(0, 256, (2, 45, 60, 3), dtype=np.uint8)
    feeds = {"content": content, "style": np.stack(styles[:2]), "strength": np.ones(2, np.float32)}
    quantized = quantize(tmp_path / "model.onnx", photos, styles)
    eight, whole = (
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feeds)[0]
        for model in (quantized, (tmp_path / "model.onnx").read_bytes())
    )
    assert eight.shape == whole.shape
    assert not np.array_equal(eight, whole)
    assert np.abs(eight.astype(int) - whole).mean() < 8
