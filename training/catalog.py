"""What has shipped, read back: the weights in the catalog are also what training goes on from."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from training.data import DataError
from training.model import Stylizer, StylizerShape

IDENTITY = "identity"


def read_stylizer(folder: Path, shape: StylizerShape) -> Stylizer:
    """The network of `folder`/model.onnx; raises DataError where it is not of this shape."""
    model = onnx.load(folder / "model.onnx")
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    kernels = [tensors[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]
    stylizer = Stylizer(shape)
    wanted = stylizer.state_dict()  # in the order of the layers, which is that of the nodes
    if [list(tensor.dims) for tensor in kernels] != [list(t.shape) for t in wanted.values()]:
        raise DataError(f"{folder} holds a network of another shape")
    arrays = (numpy_helper.to_array(tensor).copy() for tensor in kernels)
    stylizer.load_state_dict(dict(zip(wanted, map(torch.from_numpy, arrays), strict=True)))
    return stylizer


def read_card(folder: Path) -> dict[str, Any]:
    """What `folder`/model.json says; raises DataError where model.onnx is not the file it means."""
    try:
        card: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} holds no stylizer that can be read: {error}") from error
    if card["digest"] != digest:
        raise DataError(f"{folder / 'model.onnx'} is not the file that its card describes")
    return card


def read_embeddings(catalog: Path, stylizer: str) -> dict[str, Tensor]:
    """The embedding [K] of every style that has one for this stylizer, by slug."""
    cards = (json.loads(path.read_text("utf-8")) for path in sorted(catalog.glob("styles/*.json")))
    known = {card["slug"]: card["embeddings"] for card in cards}
    return {slug: _decode(its[stylizer]) for slug, its in known.items() if stylizer in its}


def _decode(entry: dict[str, str]) -> Tensor:
    array = np.frombuffer(base64.b64decode(entry["base64"]), "<f4")
    return torch.from_numpy(array.astype(np.float32))
