"""Whether a learned style is as good as those that ship, by the catalog's own yardstick."""

from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import as_float
from training.fit import Network
from training.losses import Backbone, content_loss, gram_matrix, style_loss

LAYERS = 4  # relu1_1 to relu4_1
SIDE = 384  # short side of photographs and of the style picture


def measure(
    network: Network, judge: Backbone, embedding: Tensor, style: Tensor, photos: list[Tensor]
) -> dict[str, float]:
    """Content and style error of eight-bit pictures on photographs uint8 [3,H,W], in float32."""
    with torch.no_grad():
        wanted = [gram_matrix(feature) for feature in judge(as_float(style[None]))[:LAYERS]]
        scores = [_score(network, judge, embedding, wanted, _at_side(photo)) for photo in photos]
    return {name: round(fmean(each[name] for each in scores), 3) for name in scores[0]}


def against_catalog(numbers: dict[str, float], card: dict[str, Any], judge: str) -> dict[str, Any]:
    """
    The numbers beside the range of the styles that ship with the stylizer of `card`.

    `within` is whether neither error is above the catalog's worst; None where another judge
    looked, or where the card has no numbers: that cannot be compared.
    """
    evaluation = card.get("evaluation", {})
    known = list(evaluation.get("sides", {str(SIDE): evaluation}).get(str(SIDE), {}).values())
    if not known:
        return {**numbers, "catalog": None, "within": None}
    ranges = {
        name: [min(one[name] for one in known), max(one[name] for one in known)]
        for name in ("content", "style")
    }
    same = judge in card["training"]["backbones"]
    within = all(numbers[name] <= worst for name, (_, worst) in ranges.items())
    return {**numbers, "catalog": ranges, "within": within if same else None}


def _score(
    network: Network, judge: Backbone, embedding: Tensor, wanted: list[Tensor], content: Tensor
) -> dict[str, float]:
    drawn = (network.draw(content, embedding) * 255).round() / 255
    before, after = judge(content)[:LAYERS], judge(drawn)[:LAYERS]
    return {
        "content": float(content_loss(after, before)),
        "style": float(style_loss(after, wanted)),
        "style_of_the_photograph": float(style_loss(before, wanted)),
    }


def _at_side(photo: Tensor) -> Tensor:
    scale = SIDE / min(photo.shape[1:])
    size = [round(side * scale) for side in photo.shape[1:]]
    return F.interpolate(
        as_float(photo[None]), size, mode="bilinear", align_corners=False, antialias=True
    )
