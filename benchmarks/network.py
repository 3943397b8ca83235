"""
`python -m benchmarks.network`: what a stylizer costs beside the network everybody knows.

The yardstick is Johnson's (2016): 32, 64, 128 channels, 9-3-3 convolutions, five residual blocks,
with random weights, through the same exporter. Needs the `training` extra; the networks take turns,
so that a busy neighbour slows all of them.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np
import onnxruntime
import torch

from training.catalog import IDENTITY, read_embeddings
from training.graph import build
from training.model import StyleTable, Stylizer, StylizerShape, kmac_per_pixel

JOHNSON: Final = StylizerShape(widths=(32, 64, 128), blocks=5, outer_kernel=9)
MUST: Final = 0.30  #: of the yardstick's time
ROUNDS: Final = 9


def main() -> int:
    """Print the table; 1 where the must is missed."""
    chosen = _arguments()
    picture = np.random.default_rng(0).integers(0, 256, (1, chosen.side, chosen.side, 3), np.uint8)
    folder = chosen.catalog / "stylizers" / chosen.stylizer
    style = next(
        row
        for slug, row in read_embeddings(chosen.catalog, chosen.stylizer).items()
        if slug != IDENTITY
    )
    feeds = {"content": picture, "style": style[None].numpy(), "strength": np.ones(1, np.float32)}
    affine = _open(folder / "statistics.onnx", chosen.threads).run(None, feeds)[0]
    runs = {
        "yardstick": _yardstick(picture, chosen.threads),
        "whole": _run(folder / "model.onnx", feeds, chosen.threads),
        "tiles": _run(
            folder / "tiles.onnx", {"content": picture, "affine": affine}, chosen.threads
        ),
        "statistics": _run(folder / "statistics.onnx", feeds, chosen.threads),
    }
    if (folder / "int8.onnx").exists():
        runs["int8"] = _run(folder / "int8.onnx", feeds, chosen.threads)
    ms = _take_turns(runs)
    for name, each in ms.items():
        print(f"{name:12} {each:8.1f} ms   {each / ms['yardstick']:.3f} of the yardstick")
    if chosen.json:
        facts = {"side": chosen.side, "threads": chosen.threads, "ms": ms}
        facts["yardstick_kmac_per_pixel"] = round(kmac_per_pixel(JOHNSON), 1)
        chosen.json.write_text(json.dumps(facts, indent=2) + "\n")
    return int(ms["whole"] / ms["yardstick"] > MUST)


def _take_turns(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median milliseconds of each, after one call to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(ROUNDS + 1):
        for name, run in runs.items():
            start = perf_counter()
            run()
            if turn:
                seconds[name].append(perf_counter() - start)
    return {name: round(1000 * median(each), 1) for name, each in seconds.items()}


def _yardstick(picture: Any, threads: int) -> Callable[[], object]:
    torch.manual_seed(0)
    table = StyleTable(JOHNSON, 1)
    model = build(Stylizer(JOHNSON), table.identity).SerializeToString()
    style = table.styles.detach().numpy()
    return _run(
        model, {"content": picture, "style": style, "strength": np.ones(1, np.float32)}, threads
    )


def _run(model: Path | bytes, feeds: dict[str, Any], threads: int) -> Callable[[], object]:
    session = _open(model, threads)
    return lambda: session.run(None, feeds)


def _open(model: Path | bytes, threads: int) -> Any:
    """As a worker opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network", description=__doc__)
    parser.add_argument("--stylizer", default="light-0.3.0")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
