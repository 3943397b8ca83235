"""An engine without a network: what everything around the engine costs, measured and tested."""

from time import sleep

import numpy as np

from workers.engines.base import Affines, Embeddings, Pictures, Strengths


class NullEngine:
    """Answers with a copy of its input, after `device_ms` a batch; serves every style."""

    name = "null"
    device = "cpu:0"
    stylizer_digest = None
    reach = 0

    def __init__(self, device_ms: float = 0.0) -> None:
        self._seconds = device_ms / 1000

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
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

    def warm_up(self) -> None:
        """There is nothing to warm."""

    def close(self) -> None:
        """There is nothing to give back."""
