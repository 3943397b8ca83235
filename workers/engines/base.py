"""What the batcher needs from an engine, and nothing more."""

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pictures: TypeAlias = NDArray[np.uint8]  #: [N, H, W, 3], sRGB
Embeddings: TypeAlias = NDArray[np.float32]  #: [N, K], one style per picture
Strengths: TypeAlias = NDArray[np.float32]  #: [N], 0 leaves the picture as it is


class Engine(Protocol):
    """
    Anything that can stylize a batch. One thread at a time; the batcher's is the only one.

    Made for I/O binding: all arrays are C-contiguous, `content` is only read and only until the
    call returns, so that its memory may be used again (or be pinned, or be a binding's own).
    """

    @property
    def name(self) -> str:
        """What draws, for ledgers and logs: `onnxruntime-cpu`."""
        ...

    @property
    def device(self) -> str:
        """Where it draws: `cpu:0`."""
        ...

    @property
    def stylizer_digest(self) -> str | None:
        """SHA-256 of the network; None if it serves the styles of any."""
        ...

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
        """One picture per content picture, same order, same size; into `out` if it is given."""
        ...

    def warm_up(self) -> None:
        """Pay for the first call before somebody waits for it."""
        ...

    def close(self) -> None:
        """Give the device back; no call may follow."""
        ...
