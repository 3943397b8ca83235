"""ONNX Runtime out of memory, for real: an arena with a limit, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

DRAW = """
import sys
from pathlib import Path
import numpy as np
from app.catalog import Catalog
from app.settings import CATALOG, EngineSettings
from workers.asks import Item
from workers.batcher import Batcher
from workers.capbook import CapBook
from workers.engines import open_engine

SIDE = 256
settings = EngineSettings(memory_limit=400 * 2**20, threads=1)
engine = open_engine(settings, Catalog(CATALOG))
book = CapBook(Path(sys.argv[1]))
style = np.zeros(1603, np.float32)
photos = np.random.default_rng(1).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)
items = [Item(photo, style, 1.0) for photo in photos]
left = []
most = {"max_batch": 8, "max_batch_pixels": 2**22}
with Batcher(engine, **most, caps=book.open(), leave=lambda *why: left.append(why)) as batcher:
    blocker = batcher.submit(Item(photos[0], style, 1.0))  # busy meanwhile
    futures = [batcher.submit(item) for item in items]
    drawn = [future.result(120) for future in futures]
    blocker.result(120)
alone = [engine.stylize(photo[None], style[None], np.ones(1, np.float32))[0] for photo in photos]
assert not left, left
for one, together in zip(alone, drawn):
    assert np.abs(one.astype(int) - together.pixels).max() <= 1
print(max(one.batch_size for one in drawn), book.open().most((SIDE, SIDE)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="how much an arena takes was seen on Linux")
def test_a_batch_that_onnx_runtime_has_no_memory_for_is_drawn_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "caps.json"
    ran = subprocess.run(
        [sys.executable, "-c", DRAW, str(path)], capture_output=True, text=True, timeout=200
    )
    assert ran.returncode == 0, ran.stderr
    largest, cap = map(int, ran.stdout.split())
    assert largest == cap < 8
    assert "AllocateRawInternal" in ran.stderr  # ONNX Runtime's own log, of the failed calls
    again = subprocess.run(
        [sys.executable, "-c", DRAW, str(path)], capture_output=True, text=True, timeout=200
    )
    assert again.returncode == 0, again.stderr
    assert "AllocateRawInternal" not in again.stderr  # the second process knew
