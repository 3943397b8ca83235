"""How a command of ours ends early: refused, or stopped by a signal, in a sentence either way."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import torch

from training.data import DataError

REFUSED, INTERRUPTED = 2, 130  # exit codes


@contextmanager
def in_words(stopped: str) -> Iterator[None]:
    """DataError and signals become a sentence on stderr and an exit code; `stopped` is theirs."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)  # a shell may have started us with it ignored
    try:
        yield
    except DataError as error:
        print(f"impasto: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except torch.OutOfMemoryError as error:
        first = str(error).partition("\n")[0]
        print(f"impasto: the GPU's memory does not hold this: {first}", file=sys.stderr)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        print(f"impasto: stopped; {stopped}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _stop(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
