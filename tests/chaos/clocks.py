"""Processes whose calendar clock is wrong: a few functions of libc, replaced in them alone."""

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import gettempdir

SOURCE = Path(__file__).with_name("clocks.c")
COMPILER = shutil.which("cc")


def shifted(seconds: int) -> dict[str, str]:
    """The environment of a process whose clock is `seconds` ahead, or behind if negative."""
    return {"LD_PRELOAD": str(_library()), "CLOCK_OFF": str(seconds)}


@lru_cache(1)
def _library() -> Path:
    assert COMPILER is not None, "there is no C compiler"
    library = Path(gettempdir()) / f"impasto-clocks-{os.getpid()}.so"
    argv = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(argv, check=True)
    return library
