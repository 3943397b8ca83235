"""One page per photograph with every style of a stylizer on it: what people look at first."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.catalog import IDENTITY, read_embeddings
from training.data import list_pictures, read_picture
from training.evaluate import Draw, Picture, draw_with, open_model

COLUMNS = 5
DRAWN = 448  # pixels of the short side that a picture is drawn at
SHOWN = 216
CAPTION = 22
QUALITY = 74


def page(photo: Path, draws: dict[str, Draw]) -> Image.Image:
    """The photograph and all its pictures, each over the name of its style."""
    picture = read_picture(photo, DRAWN).permute(1, 2, 0).numpy()
    cells = [
        cell(picture, "original"),
        *(cell(draw(picture), slug) for slug, draw in draws.items()),
    ]
    return grid(cells)


def cell(picture: Picture, name: str) -> Image.Image:
    """The middle of a picture over its name."""
    height, width, _ = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    framed = Image.new("RGB", (SHOWN, SHOWN + CAPTION), "white")
    framed.paste(cut.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))
    font = ImageFont.load_default(size=14)
    ImageDraw.Draw(framed).text((4, SHOWN + 2), name, fill=(40, 40, 40), font=font)
    return framed


def grid(cells: Sequence[Image.Image]) -> Image.Image:
    """Cells of one size, row by row, with a little air between."""
    width, height = (side + 6 for side in cells[0].size)
    whole = Image.new("RGB", (COLUMNS * width, -(-len(cells) // COLUMNS) * height), "white")
    for place, each in enumerate(cells):
        whole.paste(each, (place % COLUMNS * width + 3, place // COLUMNS * height + 3))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.gallery", description=__doc__)
    parser.add_argument("--stylizer", required=True, help="a folder of catalog/stylizers")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True, help="folder of pages")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    folder = chosen.catalog / "stylizers" / chosen.stylizer
    session = open_model(folder / "model.onnx", chosen.threads)
    rows = read_embeddings(chosen.catalog, chosen.stylizer)
    draws = {slug: draw_with(session, row) for slug, row in rows.items() if slug != IDENTITY}
    chosen.out.mkdir(parents=True, exist_ok=True)
    for photo in list_pictures(chosen.photos):
        path = chosen.out / f"{photo.stem}.jpg"
        page(photo, draws).save(path, quality=QUALITY)
        print(path)


if __name__ == "__main__":
    main()
