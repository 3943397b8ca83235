"""From a checkpoint to what ships: one ONNX file, its card, and one card per style."""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import checkpoint as checkpoints
from training.cards import (
    model_card,
    sha256,
    style_card,
    training_record,
    write_json,
    write_style,
)
from training.graph import build, build_statistics, build_tiles
from training.model import Stylizer, at_strength, reach
from training.sketch import IR_VERSION, OPSET

MIN_SIDE = 32  # below, reflection at quarter resolution runs out of pixels
SIZES = [(1, 32, 32), (3, 33, 47), (2, 64, 61), (4, 97, 130), (2, 256, 191)]  # N, H, W
#: Steps of 1/255: against PyTorch, of a batch against its pictures, and of the other graphs.
LIMITS = {"mean": 0.25, "max": 2.0, "batch_max": 1.0, "tiles_max": 2.0, "half_mean": 0.5}


class Shipped(nn.Module):  # type: ignore[misc]  # untyped to mypy
    """What the graph computes, in PyTorch: uint8 in and out, padding, strength."""

    identity: Tensor

    def __init__(self, stylizer: Stylizer, identity: Tensor) -> None:
        super().__init__()
        self.stylizer = stylizer
        self.register_buffer("identity", identity.detach().clone())

    def forward(self, content: Tensor, style: Tensor, strength: Tensor) -> Tensor:
        """content uint8 [N,H,W,3], style [N,K], strength [N]; returns uint8 [N,H,W,3]."""
        _, height, width, _ = content.shape
        x = content.permute(0, 3, 1, 2).float() / 255.0  # [N,3,H,W]
        x = F.pad(x, (0, -width % 4, 0, -height % 4), mode="reflect")
        x = self.stylizer(x, at_strength(style, strength, self.identity))[:, :, :height, :width]
        return (x * 255.0).round().clamp(0.0, 255.0).to(torch.uint8).permute(0, 2, 3, 1)


def samples(rows: Tensor) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
    """Batches of mixed styles and strengths: smooth with a little noise, as pictures are."""
    rng = np.random.default_rng(0)
    for count, height, width in SIZES:
        coarse = torch.from_numpy(rng.random((count, 3, 5, 5), dtype=np.float32))
        smooth = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
        noise = rng.random((count, height, width, 3), dtype=np.float32)
        content = 0.8 * smooth.permute(0, 2, 3, 1).numpy() + 0.2 * noise
        shares = rng.dirichlet(np.ones(len(rows)) / 2, count).astype(np.float32)
        strength = rng.uniform(0.5, 1.0, count).astype(np.float32)
        yield np.round(content * 255).astype(np.uint8), shares @ rows.numpy(), strength


def parity(model: bytes, shipped: Shipped, rows: Tensor) -> dict[str, float]:
    """How far ONNX Runtime is from PyTorch, and a batch from its pictures one by one, in 1/255."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    mean = largest = batch = 0.0
    for arrays in samples(rows):
        got = _run(session, *arrays)
        with torch.no_grad():
            wanted = shipped(*map(torch.from_numpy, arrays)).numpy()
        alone = [_run(session, *(array[i : i + 1] for array in arrays)) for i in range(len(got))]
        error = _distance(got, wanted)
        mean, largest = max(mean, float(error.mean())), max(largest, float(error.max()))
        batch = max(batch, float(_distance(got, np.concatenate(alone)).max()))
    return {"mean": round(mean, 5), "max": largest, "batch_max": batch}


def parity_of_parts(model: bytes, graphs: dict[str, bytes], rows: Tensor) -> dict[str, float]:
    """How far statistics with tiles, and the fp16 variant, are from the whole picture, in 1/255."""
    whole, statistics, tiles, half = (
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"])
        for each in (model, graphs["statistics"], graphs["tiles"], graphs["half"])
    )
    found = {"tiles_max": 0.0, "half_mean": 0.0, "half_max": 0.0}
    for content, style, strength in samples(rows):
        wanted = _run(whole, content, style, strength)
        affine = _run(statistics, content, style, strength)
        tiled = tiles.run(None, {"content": content, "affine": affine})[0]
        error = _distance(_run(half, content, style, strength), wanted)
        found["tiles_max"] = max(found["tiles_max"], float(_distance(tiled, wanted).max()))
        found["half_mean"] = max(found["half_mean"], round(float(error.mean()), 5))
        found["half_max"] = max(found["half_max"], float(error.max()))
    return found


def parts(stylizer: Stylizer, identity: Tensor) -> dict[str, bytes]:
    """The graphs that lie beside the whole one, by what the card calls them."""
    models = {
        "statistics": build_statistics(stylizer, identity),
        "tiles": build_tiles(stylizer),
        "half": build(stylizer, identity, half=True),
    }
    return {name: model.SerializeToString(deterministic=True) for name, model in models.items()}


def write_parts(folder: Path, graphs: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Write each as `<name>.onnx`; returns what the card says of them."""
    for name, content in graphs.items():
        (folder / f"{name}.onnx").write_bytes(content)
    return {
        name: {"file": f"{name}.onnx", "digest": sha256(content), "bytes": len(content)}
        for name, content in graphs.items()
    }


def _run(session: Any, *arrays: Any) -> np.ndarray[Any, Any]:
    feeds = dict(zip(("content", "style", "strength"), arrays, strict=True))
    stylized: np.ndarray[Any, Any] = session.run(None, feeds)[0]
    return stylized


def _distance(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    apart: np.ndarray[Any, Any] = np.abs(one.astype(np.int16) - two.astype(np.int16))
    return apart


def export(checkpoint: Path, styles: Path, catalog: Path) -> Path:
    """Write the stylizer's folder and the style cards; returns the folder."""
    saved = checkpoints.read(checkpoint)
    config, stylizer, table = checkpoints.load(checkpoint)
    stylizer_id = f"{config.name}-{config.version}"
    folder = catalog / "stylizers" / stylizer_id
    model = build(stylizer, table.identity).SerializeToString(deterministic=True)
    graphs = parts(stylizer, table.identity)
    rows = table.styles.detach()
    measured = parity(model, Shipped(stylizer, table.identity), rows)
    measured |= parity_of_parts(model, graphs, rows)
    if too_far := [name for name, limit in LIMITS.items() if measured[name] > limit]:
        raise RuntimeError(f"the graph strays from PyTorch: {too_far} in {measured}")
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "graphs": write_parts(folder, graphs),
        "receptive_field": reach(config.shape),
        "ir_version": IR_VERSION,
        "min_side": MIN_SIDE,
        "opset": OPSET,
        "parity": {**measured, "sizes": SIZES, "unit": "1/255"},
        "training": training_record(saved, config, _commit()),
    }
    (folder / "model.onnx").write_bytes(model)
    write_json(folder / "model.json", model_card(config, model, facts))
    cards: list[tuple[str, Path | None, Tensor]] = [("identity", None, table.identity)]
    cards += [
        (slug, styles / name, row)
        for (slug, name), row in zip(config.styles.items(), rows, strict=True)
    ]
    for slug, picture, embedding in cards:
        path = catalog / "styles" / f"{slug}.json"
        write_style(path, style_card(slug, picture), stylizer_id, embedding)
    return folder


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 - git is wherever it is
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True, help="folder of style pictures")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    try:
        print(export(chosen.checkpoint, chosen.styles, chosen.catalog))
    except (OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
