"""The stylizer as an ONNX graph, written node by node, so that it is the same bytes every time.

A traced graph of this network has twice the nodes, most of them about shapes, and varies with the
version of PyTorch. Here no node asks for a shape but those that pad and crop.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.model import NORM_EPSILON, Stylizer

OPSET = 17
IR_VERSION = 8  # what opset 17 came with; older runtimes refuse newer files


class Sketch:
    """A graph under construction; every method returns the name of what it computes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; with several outputs, the returned name takes `.0`, `.1`, ..."""
        name = f"{op.lower()}_{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=name, **attributes))
        return name

    def constant(self, array: Any, dtype: type = np.float32) -> str:
        """A weight, or a number that a node takes as an input; equal small ones are stored once."""
        tensor = numpy_helper.from_array(np.asarray(array, dtype), "")
        for known in self.weights:
            if known.raw_data == tensor.raw_data and known.dims == tensor.dims:
                return str(known.name)
        tensor.name = f"constant_{len(self.weights)}"
        self.weights.append(tensor)
        return str(tensor.name)

    def ints(self, *values: int) -> str:
        """A vector of int64, as shapes and axes are given."""
        return self.constant(values, np.int64)


def build(stylizer: Stylizer, identity: Tensor) -> onnx.ModelProto:
    """content uint8 [N,H,W,3], style [N,K], strength [N] to stylized uint8 [N,H,W,3]."""
    sketch = Sketch()
    size = sketch.add("Shape", "content", start=1, end=3)  # [H,W]
    x = sketch.add("Cast", "content", to=TensorProto.FLOAT)
    x = sketch.add("Transpose", x, perm=[0, 3, 1, 2])
    x = sketch.add("Div", x, sketch.constant(255.0))
    x = _pad_to_four(sketch, x, size)
    x = _paint(sketch, stylizer, x, _embedding(sketch, identity))
    both, axes = sketch.ints(0, 0), sketch.ints(2, 3)
    x = sketch.add("Slice", x, both, size, axes)
    # Round while still float: a cast cuts off, and every picture would darken by half a step.
    x = sketch.add("Round", sketch.add("Mul", x, sketch.constant(255.0)))
    x = sketch.add("Clip", x, sketch.constant(0.0), sketch.constant(255.0))
    x = sketch.add("Cast", x, to=TensorProto.UINT8)
    x = sketch.add("Transpose", x, perm=[0, 2, 3, 1])
    sketch.nodes[-1].output[0] = "stylized"
    return _model(sketch, identity.numel())


def _pad_to_four(sketch: Sketch, x: str, size: str) -> str:
    """Reflect at the bottom and the right until both sides halve twice."""
    missing = sketch.add("Mod", sketch.add("Neg", size), sketch.ints(4))
    pads = sketch.add("Concat", sketch.ints(0, 0, 0, 0, 0, 0), missing, axis=0)
    return sketch.add("Pad", x, pads, mode="reflect")


def _embedding(sketch: Sketch, identity: Tensor) -> str:
    """identity + strength * (style - identity), [N,K]."""
    start = sketch.constant(identity.detach().numpy()[None])
    strength = sketch.add("Unsqueeze", "strength", sketch.ints(1))
    way = sketch.add("Mul", strength, sketch.add("Sub", "style", start))
    return sketch.add("Add", start, way)


def _paint(sketch: Sketch, stylizer: Stylizer, content: str, embedding: str) -> str:
    """The network between floats; the mirror image of Stylizer.forward."""
    widths = stylizer.shape.norm_widths
    pieces = [piece for width in widths for piece in (width, width)] + [3]
    cuts = sketch.add("Split", embedding, sketch.ints(*pieces), axis=1, outputs=len(pieces))
    turn = iter(range(len(widths)))

    def layer(convolution: nn.Conv2d, x: str) -> str:
        norm = next(turn)
        scale, shift = f"{cuts}.{2 * norm}", f"{cuts}.{2 * norm + 1}"
        return _modulate(sketch, _convolve(sketch, convolution, x), scale, shift, widths[norm])

    x = sketch.add("Relu", layer(stylizer.first, content))
    for down in stylizer.down:
        x = sketch.add("Relu", layer(down, x))
    for one, two in zip(stylizer.body[::2], stylizer.body[1::2], strict=True):
        y = sketch.add("Relu", layer(one, x))
        x = sketch.add("Add", x, layer(two, y))
    scales = sketch.constant([1.0, 1.0, 2.0, 2.0])
    nearest: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor"}
    nearest["coordinate_transformation_mode"] = "asymmetric"
    for up in stylizer.up:
        x = sketch.add("Resize", x, "", scales, **nearest)
        x = sketch.add("Relu", layer(up, x))
    painted = _convolve(sketch, stylizer.last, x)
    keep = sketch.add("Unsqueeze", f"{cuts}.{len(pieces) - 1}", sketch.ints(2, 3))
    return sketch.add("Add", painted, sketch.add("Mul", keep, content))


def _convolve(sketch: Sketch, convolution: nn.Conv2d, x: str) -> str:
    kernel, reach = convolution.kernel_size[0], convolution.kernel_size[0] // 2
    x = sketch.add("Pad", x, sketch.ints(0, 0, reach, reach, 0, 0, reach, reach), mode="reflect")
    weight = sketch.constant(convolution.weight.detach().numpy())
    sizes: dict[str, Any] = {"kernel_shape": [kernel, kernel], "strides": list(convolution.stride)}
    return sketch.add("Conv", x, weight, **sizes)


def _modulate(sketch: Sketch, x: str, scale: str, shift: str, width: int) -> str:
    """Instance norm over N*C channels of one picture, so that each picture has its own scales."""
    everything = sketch.ints(-1)
    flat = sketch.add("Reshape", x, sketch.ints(1, -1, 0, 0))  # zero: as it was
    scales = [sketch.add("Reshape", part, everything) for part in (scale, shift)]
    flat = sketch.add("InstanceNormalization", flat, *scales, epsilon=NORM_EPSILON)
    return sketch.add("Reshape", flat, sketch.ints(-1, width, 0, 0))


def _model(sketch: Sketch, embedding_size: int) -> onnx.ModelProto:
    picture = ["N", "H", "W", 3]
    content = helper.make_tensor_value_info("content", TensorProto.UINT8, picture)
    style = helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", embedding_size])
    strength = helper.make_tensor_value_info("strength", TensorProto.FLOAT, ["N"])
    stylized = helper.make_tensor_value_info("stylized", TensorProto.UINT8, picture)
    graph = helper.make_graph(
        sketch.nodes, "stylizer", [content, style, strength], [stylized], sketch.weights
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, producer_name="impasto")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model
