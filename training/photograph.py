"""Tells a photograph from a painting, since a photograph lends its colours but has no strokes.

A line through the energies of relu4_1's channels, fitted by ridge regression with leave-one-out;
what it was fitted on and how often it errs stands in photograph.json beside it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.cards import write_json
from training.data import list_pictures, read_picture
from training.losses import CONTENT_LAYER, Backbone
from training.views import middle

LINE = Path(__file__).with_suffix(".json")
SIDE = 256  # pixels of the middle that is looked at
RIDGE = 0.05
EVERY = 15  # of the training photographs one is taken: enough of them, and soon done


def looks_like_a_photograph(picture: Tensor, judge: Backbone, name: str) -> bool | None:
    """Whether uint8 [3,H,W] does; None with a judge that the line was not fitted for."""
    line = json.loads(LINE.read_text("utf-8"))
    if name != line["backbone"]:
        return None
    value = energies(picture, judge).cpu() @ torch.tensor(line["weights"]) + line["offset"]
    return bool(value < line["threshold"])


def energies(picture: Tensor, judge: Backbone) -> Tensor:
    """Logarithm of the mean square of every channel of relu4_1, [512], about their mean."""
    with torch.no_grad():
        features = judge(middle(picture, SIDE))[CONTENT_LAYER]
    logarithms = features.square().mean((0, 2, 3)).clamp_min(1e-4).log()
    return logarithms - logarithms.mean()


def fit(paintings: Tensor, photographs: Tensor) -> dict[str, Any]:
    """The line for rows of energies [N,512]; both kinds weigh as much, however many there are."""
    rows = torch.cat([paintings, photographs]).double()
    signs = torch.tensor([1.0] * len(paintings) + [-1.0] * len(photographs)).double()
    share = torch.where(signs > 0, 1 / len(paintings), 1 / len(photographs)) * len(signs) / 2
    scale = rows.square().sum(1).mean()
    kernel = rows @ rows.T / scale + 1
    inverse = (kernel + RIDGE * torch.diag(1 / share)).inverse()
    dual = inverse @ signs
    left_out = signs - dual / inverse.diagonal()  # each by the line that never saw it
    own, others = left_out[: len(paintings)], left_out[len(paintings) :]
    threshold = min(0.0, float(own.min()) - 0.01)  # no painting is called a photograph
    return {
        "weights": [round(float(w), 6) for w in rows.T @ dual / scale],
        "offset": round(float(dual.sum()), 6),
        "threshold": round(threshold, 4),
        "paintings": len(paintings),
        "photographs": len(photographs),
        "photographs_told": round(float((others < threshold).double().mean()), 3),
        "paintings_below_zero": round(float((own < 0).double().mean()), 3),
        "photographs_above_zero": round(float((others > 0).double().mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.photograph", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--backbone", type=Path, required=True)
    chosen = parser.parse_args()
    judge = Backbone.load(chosen.backbone)

    def look(paths: list[Path]) -> Tensor:
        return torch.stack([energies(read_picture(path), judge) for path in paths])

    line = fit(look(list_pictures(chosen.styles)), look(list_pictures(chosen.photos)[::EVERY]))
    write_json(LINE, {"backbone": chosen.backbone.name, **line})
    print({name: value for name, value in line.items() if name != "weights"})


if __name__ == "__main__":
    main()
