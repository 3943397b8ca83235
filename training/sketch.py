"""A graph under construction: nodes and weights by name, and the same bytes every time."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # what opset 17 came with; older runtimes refuse newer files

Form: TypeAlias = tuple[int, tuple[str | int, ...]]  # element type, shape

PICTURES: Form = (TensorProto.UINT8, ("N", "H", "W", 3))


def rows(width: int) -> Form:
    """The type of one row of `width` numbers for each picture."""
    return TensorProto.FLOAT, ("N", width)


class Sketch:
    """Every method returns the name of what it computes. `half`: floats of 16 bits inside."""

    def __init__(self, half: bool = False) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.dtype: Any = np.float16 if half else np.float32
        self.type = TensorProto.FLOAT16 if half else TensorProto.FLOAT

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; with several outputs, the returned name takes `.0`, `.1`, ..."""
        name = f"{op.lower()}_{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=name, **attributes))
        return name

    def constant(self, array: Any, dtype: Any = None) -> str:
        """A weight, or a number that a node takes as an input; equal small ones are stored once."""
        tensor = numpy_helper.from_array(np.asarray(array, dtype or self.dtype), "")
        for known in self.weights:
            if known.raw_data == tensor.raw_data and known.dims == tensor.dims:
                return str(known.name)
        tensor.name = f"constant_{len(self.weights)}"
        self.weights.append(tensor)
        return str(tensor.name)

    def ints(self, *values: int) -> str:
        """A vector of int64, as shapes and axes are given."""
        return self.constant(values, np.int64)

    def give(self, name: str) -> None:
        """What the last node computes is the graph's output of that name."""
        self.nodes[-1].output[0] = name

    def model(self, inputs: Mapping[str, Form], output: str, form: Form) -> onnx.ModelProto:
        """The finished, checked file: inputs by name with type and shape, one output."""
        given = [helper.make_tensor_value_info(name, *each) for name, each in inputs.items()]
        answer = helper.make_tensor_value_info(output, *form)
        graph = helper.make_graph(self.nodes, "stylizer", given, [answer], self.weights)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, producer_name="impasto")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model
