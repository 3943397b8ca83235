"""How much of the photograph is left, how much of the style came, and how steady it is.

Measured on the files that ship: ONNX, eight bits, photographs never trained on.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity
from torch import Tensor
from tqdm import tqdm

from training.cards import read_sources, write_json
from training.catalog import IDENTITY, read_embeddings
from training.data import as_float, list_pictures, read_picture
from training.device import AUTO, HELP, open_device
from training.losses import Backbone, content_loss, gram_matrix, relative_error

STYLE_LAYERS = 4  # relu1_1 to relu4_1, the yardstick that published networks were measured with
JPEG_QUALITY = 90

Picture: TypeAlias = NDArray[np.uint8]  # [H,W,3]
Draw: TypeAlias = Callable[[Picture], Picture]
Numbers: TypeAlias = dict[str, float]


@dataclass(frozen=True)
class Content:
    """A photograph, and what the judge saw in it."""

    picture: Picture
    features: list[Tensor]


def open_model(model: Path, threads: int) -> Any:
    """The shipped graph, ready to run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def draw_with(session: Any, style: Tensor) -> Draw:
    """The shipped graph at full strength in one style [K]."""
    feeds = {"style": style[None].numpy(), "strength": np.ones(1, np.float32)}
    return lambda picture: session.run(None, {"content": picture[None], **feeds})[0][0]


def as_tensor(picture: Picture) -> Tensor:
    """[H,W,3] in 0..255 to [1,3,H,W] in 0..1."""
    return as_float(torch.from_numpy(picture.copy()).permute(2, 0, 1))[None]


def grams_of(features: list[Tensor]) -> list[Tensor]:
    """The Gram matrices that the yardstick compares."""
    return [gram_matrix(feature) for feature in features[:STYLE_LAYERS]]


def style_error(features: list[Tensor], wanted: list[Tensor]) -> float:
    """Mean relative Gram error of one picture."""
    pairs = zip(grams_of(features), wanted, strict=True)
    errors = torch.cat([relative_error(one, two) for one, two in pairs])
    return float(errors.mean())


def similarity(one: Picture, two: Picture) -> float:
    """SSIM of luminance as in Wang 2004, 0..1: how much structure came through."""
    return float(
        structural_similarity(
            rgb2gray(one),
            rgb2gray(two),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def shift_error(draw: Draw, picture: Picture, drawn: Picture) -> float:
    """Root mean square change, in 1/255, when the photograph moves by one pixel each way."""
    moved = draw(np.ascontiguousarray(picture[1:, 1:]))
    margin = 16  # near the border the two see different reflections
    return _apart(
        moved[margin:-margin, margin:-margin], drawn[1:, 1:][margin:-margin, margin:-margin]
    )


def jpeg_error(draw: Draw, picture: Picture, drawn: Picture) -> float:
    """Root mean square change, in 1/255, when the photograph comes as a JPEG file."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY)
    return _apart(draw(np.array(Image.open(file))), drawn)


def _apart(one: Picture, two: Picture) -> float:
    difference = one.astype(np.float32) - two.astype(np.float32)
    return float(np.sqrt(np.square(difference).mean()))


def look(judge: Backbone, picture: Picture) -> list[Tensor]:
    """The judge's features of one picture."""
    with torch.no_grad():
        features: list[Tensor] = judge(as_tensor(picture).to(judge.device))
    return features


def score(judge: Backbone, draw: Draw, wanted: list[Tensor], content: Content) -> Numbers:
    """All numbers of one style on one photograph; `wanted` are the style picture's Grams."""
    drawn = draw(content.picture)
    features = look(judge, drawn)
    return {
        "content": float(content_loss(features, content.features)),
        "style": style_error(features, wanted),
        "style_of_the_photograph": style_error(content.features, wanted),
        "ssim": similarity(drawn, content.picture),
        "shift": shift_error(draw, content.picture, drawn),
        "jpeg": jpeg_error(draw, content.picture, drawn),
    }


def mean(scores: Sequence[Numbers]) -> Numbers:
    """Number by number, three decimals."""
    return {name: round(fmean(each[name] for each in scores), 3) for name in scores[0]}


def evaluate(
    draws: dict[str, Draw],
    photos: Path,
    styles: dict[str, Path],
    judge: Backbone,
    side: int,
    limit: int,
) -> dict[str, Numbers]:
    """The mean numbers of every style over the first `limit` photographs at one short side."""
    paths = list_pictures(photos)[:limit]
    pictures = [read_picture(path, side).permute(1, 2, 0).numpy() for path in paths]
    contents = [Content(picture, look(judge, picture)) for picture in pictures]
    found = {}
    for slug, draw in tqdm(draws.items(), desc=f"{side} px", mininterval=5.0):
        picture = read_picture(styles[slug], side).permute(1, 2, 0).numpy()
        wanted = grams_of(look(judge, picture))
        found[slug] = mean([score(judge, draw, wanted, content) for content in contents])
    return found


def store(catalog: Path, stylizer: str, evaluation: dict[str, Any]) -> None:
    """Write the numbers into the stylizer's card, and each style's own into the style's card.

    What was measured at other sizes stays.
    """
    path = catalog / "stylizers" / stylizer / "model.json"
    card = json.loads(path.read_text("utf-8"))
    known = card.get("evaluation", {})
    for part in ("photographs", "sides"):
        evaluation[part] = known.get(part, {}) | evaluation[part]
    write_json(path, card | {"evaluation": evaluation})
    for slug in next(iter(evaluation["sides"].values())):
        card_path = catalog / "styles" / f"{slug}.json"
        card = json.loads(card_path.read_text("utf-8"))
        sides = evaluation["sides"].items()
        own = {side: numbers[slug] for side, numbers in sides if slug in numbers}
        card["baselines"] = card.get("baselines", {}) | {stylizer: own}
        write_json(card_path, card)


def main() -> None:
    chosen = _parser().parse_args()
    torch.set_num_threads(chosen.threads)
    model = chosen.catalog / "stylizers" / chosen.stylizer / chosen.graph
    rows = read_embeddings(chosen.catalog, chosen.stylizer)
    slugs = chosen.only or [slug for slug in rows if slug != IDENTITY]
    session = open_model(model, chosen.threads)
    draws = {slug: draw_with(session, rows[slug]) for slug in slugs}
    styles = {slug: chosen.styles / _style_file(chosen.catalog, slug) for slug in slugs}
    photographs = min(chosen.limit, len(list_pictures(chosen.photos)))
    judge = Backbone.load(chosen.backbone).to(open_device(chosen.device))
    known = read_sources()["backbones"]
    evaluation = {
        "backbone": {"file": chosen.backbone.name, **known.get(chosen.backbone.name, {})},
        "photographs": {str(side): photographs for side in chosen.sides},
        "sides": {
            str(side): evaluate(draws, chosen.photos, styles, judge, side, chosen.limit)
            for side in chosen.sides
        },
    }
    print(json.dumps(evaluation, indent=2))
    if chosen.store:
        store(chosen.catalog, chosen.stylizer, evaluation)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--stylizer", required=True, help="a folder of catalog/stylizers")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--photos", type=Path, required=True, help="photographs never trained on")
    parser.add_argument("--styles", type=Path, required=True, help="folder of style pictures")
    parser.add_argument("--backbone", type=Path, required=True, help="the full VGG-19")
    parser.add_argument("--graph", default="model.onnx", help="int8.onnx and the like")
    parser.add_argument("--only", nargs="*", default=[], help="slugs; all unless given")
    parser.add_argument("--sides", type=int, nargs="+", default=[384, 512], help="short sides")
    parser.add_argument("--limit", type=int, default=24, help="photographs at most")
    parser.add_argument("--device", default=AUTO, help=f"of the judge: {HELP}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--store", action="store_true", help="write the numbers into the cards")
    return parser


def _style_file(catalog: Path, slug: str) -> str:
    card = json.loads((catalog / "styles" / f"{slug}.json").read_text("utf-8"))
    return str(card["style_image"]["file_name"])


if __name__ == "__main__":
    main()
