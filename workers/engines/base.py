"""What the batcher needs from an engine, and nothing more."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pictures: TypeAlias = NDArray[np.uint8]  #: [N, H, W, 3], sRGB
Embeddings: TypeAlias = NDArray[np.float32]  #: [N, K], one style per picture
Strengths: TypeAlias = NDArray[np.float32]  #: [N], 0 leaves the picture as it is
Affines: TypeAlias = NDArray[np.float32]  #: [N, M], what `measure` found, for `paint`


@dataclass(frozen=True)
class Parts:
    """What a network needs beside its main graph to draw a picture in parts."""

    statistics: tuple[Path, str]  #: a graph and its SHA-256
    tiles: tuple[Path, str]
    reach: int  #: pixels


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

    @property
    def reach(self) -> int | None:
        """How many pixels to each side a tile's edge is felt; None where tiles are not drawn."""
        ...

    def measure(self, content: Pictures, style: Embeddings, strength: Strengths) -> Affines:
        """What every normalisation does to these pictures, from thumbnails: for their tiles."""
        ...

    def paint(self, content: Pictures, affine: Affines) -> Pictures:
        """
        Parts of pictures, each as its own `affine` says, whatever the others are.

        What is `reach` pixels from an edge of a part is as if the whole picture had been drawn
        with that affine, if the part begins at multiples of four.
        """
        ...

    def renew(self) -> None:
        """Give all memory back and load again: a failed allocation may have spoilt a session."""
        ...

    def warm_up(self) -> None:
        """Pay for the first call before somebody waits for it."""
        ...

    def close(self) -> None:
        """Give the device back; no call may follow."""
        ...
