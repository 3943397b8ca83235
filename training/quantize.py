"""The stylizer for CPUs in eight bits: only the residual blocks, where six tenths of the time go.

Quantizing the outer convolutions as well is no faster and costs a tenth of content and half of
style; see docs/styles.md for the numbers.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from training.cards import sha256, write_json
from training.catalog import read_embeddings
from training.data import list_pictures, read_picture

CROP = 224
FILE = "int8.onnx"


class Examples(CalibrationDataReader):  # type: ignore[misc]  # untyped to mypy
    """One photograph after the other, each in the next style, at a strength of its own."""

    def __init__(self, photos: Sequence[Path], styles: Sequence[Any]) -> None:
        self._feeds = iter(
            {
                "content": _crop(photo)[None],
                "style": styles[place % len(styles)][None],
                "strength": np.array([1.0 if place % 4 else 0.5], np.float32),
            }
            for place, photo in enumerate(photos)
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _crop(photo: Path) -> Any:
    picture = read_picture(photo, CROP).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(picture[:CROP, :CROP])


def body(model: Path) -> list[str]:
    """The names of the convolutions between the last that halves and the first that doubles."""
    nodes = onnx.load(model).graph.node
    until = next(place for place, node in enumerate(nodes) if node.op_type == "Resize")
    names = [node.name for node in nodes[:until] if node.op_type == "Conv"]
    return names[3:]


def quantize(model: Path, photos: Sequence[Path], styles: Sequence[Any]) -> bytes:
    """Static, per channel, calibrated on `photos` in all `styles`; the same contract as `model`."""
    with TemporaryDirectory() as directory:
        out = Path(directory) / FILE
        quantize_static(
            str(model),
            str(out),
            Examples(photos, styles),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=body(model),
        )
        return out.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.quantize", description=__doc__)
    parser.add_argument("--stylizer", required=True, help="a folder of catalog/stylizers")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--photos", type=Path, required=True, help="photographs to calibrate on")
    parser.add_argument("--limit", type=int, default=96, help="photographs at most")
    chosen = parser.parse_args()
    folder = chosen.catalog / "stylizers" / chosen.stylizer
    styles = [row.numpy() for row in read_embeddings(chosen.catalog, chosen.stylizer).values()]
    paths = list_pictures(chosen.photos)
    photos = paths[:: max(1, len(paths) // chosen.limit)][: chosen.limit]
    content = quantize(folder / "model.onnx", photos, styles)
    (folder / FILE).write_bytes(content)
    card = json.loads((folder / "model.json").read_text("utf-8"))
    entry = {"file": FILE, "digest": sha256(content), "bytes": len(content)}
    card["graphs"] = card.get("graphs", {}) | {"int8": entry}
    write_json(folder / "model.json", card)
    print(folder / FILE)


if __name__ == "__main__":
    main()
