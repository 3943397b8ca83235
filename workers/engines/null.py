"""An engine without a network: what everything around the engine costs, measured and tested."""

from time import sleep

import numpy as np

from workers.engines.base import Affines, Embeddings, Pictures, Strengths


class AllocationFailed(Exception):
    """As ONNX Runtime says it; its own exceptions share no base, either."""

    def __init__(self, budget: int, pixels: int) -> None:
        super().__init__(
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Pad node. "
            "Status Message: bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal("
            "size_t, bool, onnxruntime::Stream*) Available memory of "
            f"{3 * budget} is smaller than requested bytes of {3 * pixels}"
        )


class NullEngine:
    """
    Answers with a copy of its input, after `device_ms` a batch; serves every style.

    Batches of more than `pixels` fail as ONNX Runtime's do that do not fit into memory.
    """

    name = "null"
    stylizer_digest = None
    reach = 0

    def __init__(
        self, device_ms: float = 0.0, pixels: int | None = None, *, device: int = 0
    ) -> None:
        self.device = f"cpu:{device}"
        self._seconds = device_ms / 1000
        self._pixels = pixels

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
        wanted = content.size // 3
        if self._pixels is not None and wanted > self._pixels:
            raise AllocationFailed(self._pixels, wanted)
        if self._seconds:
            sleep(self._seconds)
        if out is None:
            return content.copy()
        np.copyto(out, content)
        return out

    def measure(self, content: Pictures, style: Embeddings, strength: Strengths) -> Affines:
        """Nothing to remember of a picture; one number, since a row of none is no row."""
        return np.zeros((len(content), 1), np.float32)

    def paint(self, content: Pictures, affine: Affines) -> Pictures:
        return self.stylize(content, affine, affine[:, 0])

    def renew(self) -> None:
        """There is nothing to load."""

    def warm_up(self) -> None:
        """Nothing to warm; but whoever asks whether it still draws is told the truth."""
        one = np.zeros((1, 1), np.float32)
        self.stylize(np.zeros((1, 64, 64, 3), np.uint8), one, one[0])

    def close(self) -> None:
        """There is nothing to give back."""
