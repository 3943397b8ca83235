"""A hot lane: one session for one shape, with buffers that stay where they are."""

from typing import cast

import numpy as np
import onnxruntime as ort

from workers.engines.base import Embeddings, Pictures, Strengths
from workers.engines.options import Lane


class HotLane:
    """
    Draws batches of exactly one shape with bound input and output on the device.

    CUDA graphs record addresses: nothing is allocated after the first call, which records.
    """

    def __init__(
        self, session: ort.InferenceSession, lane: Lane, embedding: int, kind: str, number: int
    ) -> None:
        """`kind` and `number` name the device as the runtime does: `cpu` 0, `cuda` 0."""
        shape = (lane.pictures, lane.height, lane.width, 3)

        def held(shape: tuple[int, ...], dtype: type[np.generic]) -> ort.OrtValue:
            return ort.OrtValue.ortvalue_from_shape_and_type(shape, dtype, kind, number)

        self._session = session
        self._inputs = {
            "content": held(shape, np.uint8),
            "style": held((lane.pictures, embedding), np.float32),
            "strength": held((lane.pictures,), np.float32),
        }
        self._output = held(shape, np.uint8)
        self._binding = session.io_binding()
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output("stylized", self._output)

    def draw(self, content: Pictures, style: Embeddings, strength: Strengths) -> Pictures:
        """[N, H, W, 3] of the lane's own shape; the answer is a copy, the buffer is used again."""
        feeds = {"content": content, "style": style, "strength": strength}
        for name, array in feeds.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(array))
        self._session.run_with_iobinding(self._binding)
        return cast(Pictures, np.array(self._output.numpy()))
