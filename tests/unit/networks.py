"""Tiny networks with the stylizers' contract, drawn as ONNX graphs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EMBEDDING = 3


def blend(*, output: str = "stylized", style: int | str = EMBEDDING) -> bytes:
    """Mixes the content with the colour that the style names (0..255), by strength."""
    nodes = [
        helper.make_node("Cast", ["content"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["style", "zero", "three", "one"], ["colours"]),
        helper.make_node("Reshape", ["colours", "as_pixels"], ["colour"]),
        helper.make_node("Reshape", ["strength", "as_planes"], ["share"]),
        helper.make_node("Sub", ["colour", "pixels"], ["change"]),
        helper.make_node("Mul", ["change", "share"], ["part"]),
        helper.make_node("Add", ["pixels", "part"], ["mixed"]),
        helper.make_node("Round", ["mixed"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], [output], to=TensorProto.UINT8),
    ]
    return _model(nodes, output=output, style=style)


def _model(nodes: list[onnx.NodeProto], *, output: str, style: int | str) -> bytes:
    constants = {
        "zero": [0],
        "three": [3],
        "one": [1],
        "as_pixels": [-1, 1, 1, 3],
        "as_planes": [-1, 1, 1, 1],
    }
    shape = ["N", "H", "W", 3]
    graph = helper.make_graph(
        nodes,
        "stylizer",
        [
            helper.make_tensor_value_info("content", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", style]),
            helper.make_tensor_value_info("strength", TensorProto.FLOAT, ["N"]),
        ],
        [helper.make_tensor_value_info(output, TensorProto.UINT8, shape)],
        [
            numpy_helper.from_array(np.array(value, np.int64), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
