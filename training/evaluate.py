"""How much of the photograph is left, and how much of the painting came, on unseen photographs."""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from training.checkpoint import load
from training.contact_sheet import stylize
from training.data import as_float, list_pictures, read_picture
from training.losses import Backbone, content_loss, gram_matrix, relative_error

STYLE_LAYERS = 4  # relu1_1 to relu4_1, the yardstick that published networks were measured with


def grams_of(features: list[Tensor]) -> list[Tensor]:
    """The Gram matrices that the yardstick compares."""
    return [gram_matrix(feature) for feature in features[:STYLE_LAYERS]]


def style_error(features: list[Tensor], wanted: list[Tensor]) -> float:
    """Mean relative Gram error of one picture."""
    pairs = zip(grams_of(features), wanted, strict=True)
    errors = torch.cat([relative_error(one, two) for one, two in pairs])
    return float(errors.mean())


def evaluate(
    checkpoint: Path, photos: Path, styles: Path, backbone: Path, side: int = 384, limit: int = 24
) -> dict[str, dict[str, float]]:
    """Content and style ratios per style, the mean over the first `limit` photographs."""
    config, stylizer, table = load(checkpoint)
    judge = Backbone.load(backbone)
    contents = [as_float(read_picture(p, side))[None] for p in list_pictures(photos)[:limit]]
    numbers = {}
    with torch.no_grad():
        looked = [judge(content) for content in contents]
        for row, (slug, name) in zip(table.styles, config.styles.items(), strict=True):
            wanted = grams_of(judge(as_float(read_picture(styles / name, side))[None]))
            scores = []
            for content, before in zip(contents, looked, strict=True):
                drawn = (stylize(content, stylizer, row[None]) * 255).round() / 255  # as shipped
                after = judge(drawn)
                errors = style_error(after, wanted), style_error(before, wanted)
                scores.append((content_loss(after, before).item(), *errors))
            means = torch.tensor(scores).mean(0).tolist()
            names = ("content", "style", "style_of_the_photograph")
            numbers[slug] = {key: round(mean, 3) for key, mean in zip(names, means, strict=True)}
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="photographs never trained on")
    parser.add_argument("--styles", type=Path, required=True, help="folder of style pictures")
    parser.add_argument("--backbone", type=Path, required=True, help="the full VGG-19")
    parser.add_argument("--side", type=int, default=384, help="short side, also of the style")
    parser.add_argument("--limit", type=int, default=24, help="photographs at most")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    numbers = evaluate(
        chosen.checkpoint, chosen.photos, chosen.styles, chosen.backbone, chosen.side, chosen.limit
    )
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
