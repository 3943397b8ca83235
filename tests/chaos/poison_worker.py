"""
A stylizing worker that some pictures kill: the real one, with a fragile engine and decoders.

`python -m tests.chaos.poison_worker worker ...`, in place of `python -m workers worker ...`.
"""

import os
import sys
from functools import partial
from io import BytesIO
from signal import SIGKILL

import numpy as np
from PIL import Image

import workers.codec.pool
import workers.engines
from workers.__main__ import main
from workers.codec.pool import DecodePool
from workers.engines.base import Embeddings, Pictures, Strengths
from workers.engines.null import NullEngine

DEADLY = (255, 0, 255)  #: a colour that no other picture of the rig comes near
NEAR = 8


def deadly_picture(side: int = 64) -> bytes:
    """A JPEG that kills whoever draws it."""
    buffer = BytesIO()
    Image.new("RGB", (side, side), DEADLY).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


class Fragile(NullEngine):
    """Dies of one colour, as an engine dies of a picture that breaks its native code."""

    def stylize(
        self,
        content: Pictures,
        style: Embeddings,
        strength: Strengths,
        *,
        out: Pictures | None = None,
    ) -> Pictures:
        corner = content[:, 0, 0, :].astype(int)
        if (np.abs(corner - DEADLY).max(axis=1) < NEAR).any():
            os.kill(os.getpid(), SIGKILL)
        return super().stylize(content, style, strength, out=out)


if __name__ == "__main__":
    workers.engines.open_engine = lambda settings, catalog: Fragile()
    workers.codec.pool.DecodePool = partial(DecodePool, module="tests.unit.fragile_decoder")  # type: ignore[misc,assignment]
    sys.exit(main())
