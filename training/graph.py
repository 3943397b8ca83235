"""The stylizer as ONNX graphs, written node by node, so that they are the same bytes every time.

A traced graph of this network has twice the nodes, most of them about shapes, and varies with the
version of PyTorch. Here no node asks for a shape but those that pad and crop.

Three graphs share one network. `build` draws whole pictures. For a picture too large for that,
`build_statistics` looks at its thumbnail and answers what every normalization would do, as one
scale and shift a channel, and `build_tiles` draws any part of the picture with them (thumbnail
instance normalization: Chen 2022, arXiv:2103.11784).
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import onnx
from onnx import TensorProto
from torch import Tensor, nn

from training.model import NORM_EPSILON, Stylizer, StylizerShape
from training.sketch import PICTURES, Form, Sketch, rows


class Norm(Protocol):
    """Normalizes `x` of `width` channels; called once a layer, in the order of the layers."""

    def __call__(self, x: str, width: int) -> str: ...


def build(stylizer: Stylizer, identity: Tensor, *, half: bool = False) -> onnx.ModelProto:
    """content uint8 [N,H,W,3], style [N,K], strength [N] to stylized uint8 [N,H,W,3]."""
    sketch = Sketch(half)
    content, size = _content(sketch)
    pieces = _pieces(sketch, stylizer.shape, _embedding(sketch, identity))
    norm = (ConstantNorm if half else ConditionalNorm)(sketch, pieces)
    x = _body(sketch, stylizer, content, norm)
    _finish(sketch, stylizer, x, content, next(pieces), size)
    inputs = {"content": PICTURES, **_style(stylizer.shape)}
    return sketch.model(inputs, "stylized", PICTURES)


def build_statistics(stylizer: Stylizer, identity: Tensor) -> onnx.ModelProto:
    """content, style, strength as above to affine [N,K]: an embedding with the norms folded in."""
    sketch = Sketch()
    content, _ = _content(sketch)
    pieces = _pieces(sketch, stylizer.shape, _embedding(sketch, identity))
    norm = MeasuringNorm(sketch, pieces)
    _body(sketch, stylizer, content, norm)
    sketch.add("Concat", *norm.found, next(pieces), axis=1)
    sketch.give("affine")
    inputs = {"content": PICTURES, **_style(stylizer.shape)}
    return sketch.model(inputs, "affine", rows(stylizer.shape.embedding_size))


def build_tiles(stylizer: Stylizer, *, half: bool = False) -> onnx.ModelProto:
    """content uint8 [N,H,W,3], affine [N,K] to stylized uint8 [N,H,W,3]."""
    sketch = Sketch(half)
    content, size = _content(sketch)
    pieces = _pieces(sketch, stylizer.shape, "affine")
    x = _body(sketch, stylizer, content, GivenNorm(sketch, pieces))
    _finish(sketch, stylizer, x, content, next(pieces), size)
    inputs = {"content": PICTURES, "affine": rows(stylizer.shape.embedding_size)}
    return sketch.model(inputs, "stylized", PICTURES)


class ConditionalNorm:
    """Instance norm over N*C channels of one picture, so that each picture has its own scales."""

    def __init__(self, sketch: Sketch, pieces: Iterator[str]) -> None:
        self._sketch, self._pieces = sketch, pieces

    def __call__(self, x: str, width: int) -> str:
        sketch = self._sketch
        everything = sketch.ints(-1)
        flat = sketch.add("Reshape", x, sketch.ints(1, -1, 0, 0))  # zero: as it was
        scale, shift = (sketch.add("Reshape", next(self._pieces), everything) for _ in range(2))
        flat = sketch.add("InstanceNormalization", flat, scale, shift, epsilon=NORM_EPSILON)
        return sketch.add("Reshape", flat, sketch.ints(-1, width, 0, 0))


class ConstantNorm:
    """
    Instance norm with constant scales, then each picture's own: two passes more, for GPUs.

    TensorRT's parser takes InstanceNormalization with initializers only (onnx-tensorrt,
    docs/operators.md); with others it would leave every one of them, and cut the graph to pieces.
    """

    def __init__(self, sketch: Sketch, pieces: Iterator[str]) -> None:
        self._sketch, self._pieces = sketch, pieces

    def __call__(self, x: str, width: int) -> str:
        sketch = self._sketch
        ones, zeros = sketch.constant([1.0] * width), sketch.constant([0.0] * width)
        x = sketch.add("InstanceNormalization", x, ones, zeros, epsilon=NORM_EPSILON)
        return _scale_and_shift(sketch, x, next(self._pieces), next(self._pieces))


class GivenNorm:
    """Scales and shifts that know the statistics already: nothing depends on the picture."""

    def __init__(self, sketch: Sketch, pieces: Iterator[str]) -> None:
        self._sketch, self._pieces = sketch, pieces

    def __call__(self, x: str, width: int) -> str:
        return _scale_and_shift(self._sketch, x, next(self._pieces), next(self._pieces))


class MeasuringNorm:
    """Instance norm in plain steps; `found` names its scales and shifts with the norm folded in."""

    def __init__(self, sketch: Sketch, pieces: Iterator[str]) -> None:
        self._sketch, self._pieces = sketch, pieces
        self.found: list[str] = []

    def __call__(self, x: str, width: int) -> str:
        add, constant = self._sketch.add, self._sketch.constant
        mean = add("ReduceMean", x, axes=[2, 3], keepdims=1)
        apart = add("Sub", x, mean)
        variance = add("ReduceMean", add("Mul", apart, apart), axes=[2, 3], keepdims=0)
        deviation = add("Sqrt", add("Add", variance, constant(NORM_EPSILON)))
        scale = add("Div", next(self._pieces), deviation)
        flat_mean = add("Squeeze", mean, self._sketch.ints(2, 3))
        shift = add("Sub", next(self._pieces), add("Mul", flat_mean, scale))
        self.found += [scale, shift]
        return _scale_and_shift(self._sketch, x, scale, shift)


def _scale_and_shift(sketch: Sketch, x: str, scale: str, shift: str) -> str:
    """x [N,C,H,W] by scale and shift [N,C]."""
    plane = sketch.ints(2, 3)
    scaled = sketch.add("Mul", x, sketch.add("Unsqueeze", scale, plane))
    return sketch.add("Add", scaled, sketch.add("Unsqueeze", shift, plane))


def _style(shape: StylizerShape) -> dict[str, Form]:
    return {"style": rows(shape.embedding_size), "strength": (TensorProto.FLOAT, ("N",))}


def _content(sketch: Sketch) -> tuple[str, str]:
    """The pictures as floats 0..1 with sides that halve twice, and their size [H,W]."""
    size = sketch.add("Shape", "content", start=1, end=3)
    x = sketch.add("Cast", "content", to=sketch.type)
    x = sketch.add("Transpose", x, perm=[0, 3, 1, 2])
    x = sketch.add("Div", x, sketch.constant(255.0))
    # Reflected at the bottom and the right, where a side does not divide by four.
    # Not by Mod, which TensorRT did not always take.
    fours = sketch.add("Div", sketch.add("Add", size, sketch.ints(3)), sketch.ints(4))
    missing = sketch.add("Sub", sketch.add("Mul", fours, sketch.ints(4)), size)
    pads = sketch.add("Concat", sketch.ints(0, 0, 0, 0, 0, 0), missing, axis=0)
    return sketch.add("Pad", x, pads, mode="reflect"), size


def _embedding(sketch: Sketch, identity: Tensor) -> str:
    """identity + strength * (style - identity), [N,K]."""
    start = sketch.constant(identity.detach().numpy()[None], np.float32)
    strength = sketch.add("Unsqueeze", "strength", sketch.ints(1))
    way = sketch.add("Mul", strength, sketch.add("Sub", "style", start))
    return sketch.add("Add", start, way)


def _pieces(sketch: Sketch, shape: StylizerShape, embedding: str) -> Iterator[str]:
    """The rows of an embedding [N,K] one after the other: scale, shift, ..., kept shares."""
    if sketch.type != TensorProto.FLOAT:
        embedding = sketch.add("Cast", embedding, to=sketch.type)
    widths = [piece for width in shape.norm_widths for piece in (width, width)] + [3]
    cuts = sketch.add("Split", embedding, sketch.ints(*widths), axis=1, outputs=len(widths))
    return iter([f"{cuts}.{place}" for place in range(len(widths))])


def _body(sketch: Sketch, stylizer: Stylizer, x: str, norm: Norm) -> str:
    """The network up to its last convolution; the mirror image of Stylizer.forward."""

    def layer(convolution: nn.Conv2d, x: str) -> str:
        return norm(_convolve(sketch, convolution, x), convolution.out_channels)

    x = sketch.add("Relu", layer(stylizer.first, x))
    for down in stylizer.down:
        x = sketch.add("Relu", layer(down, x))
    for one, two in zip(stylizer.body[::2], stylizer.body[1::2], strict=True):
        y = sketch.add("Relu", layer(one, x))
        x = sketch.add("Add", x, layer(two, y))
    scales = sketch.constant([1.0, 1.0, 2.0, 2.0], np.float32)
    nearest: dict[str, Any] = {"mode": "nearest", "nearest_mode": "floor"}
    nearest["coordinate_transformation_mode"] = "asymmetric"
    for up in stylizer.up:
        x = sketch.add("Resize", x, "", scales, **nearest)
        x = sketch.add("Relu", layer(up, x))
    return x


def _finish(sketch: Sketch, stylizer: Stylizer, x: str, content: str, keep: str, size: str) -> None:
    """The last convolution, what is kept of the content, and back to pictures of `size`."""
    painted = _convolve(sketch, stylizer.last, x)
    keep = sketch.add("Unsqueeze", keep, sketch.ints(2, 3))
    x = sketch.add("Add", painted, sketch.add("Mul", keep, content))
    both, axes = sketch.ints(0, 0), sketch.ints(2, 3)
    x = sketch.add("Slice", x, both, size, axes)
    # Round while still float: a cast cuts off, and every picture would darken by half a step.
    x = sketch.add("Round", sketch.add("Mul", x, sketch.constant(255.0)))
    x = sketch.add("Clip", x, sketch.constant(0.0), sketch.constant(255.0))
    x = sketch.add("Cast", x, to=TensorProto.UINT8)
    sketch.add("Transpose", x, perm=[0, 2, 3, 1])
    sketch.give("stylized")


def _convolve(sketch: Sketch, convolution: nn.Conv2d, x: str) -> str:
    kernel, reach = convolution.kernel_size[0], convolution.kernel_size[0] // 2
    x = sketch.add("Pad", x, sketch.ints(0, 0, reach, reach, 0, 0, reach, reach), mode="reflect")
    weight = sketch.constant(convolution.weight.detach().numpy())
    sizes: dict[str, Any] = {"kernel_shape": [kernel, kernel], "strides": list(convolution.stride)}
    return sketch.add("Conv", x, weight, **sizes)
