"""What people look at first: a page per photograph with every style, a preview for every card."""

import argparse
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.cards import sha256, write_json, write_whole
from training.catalog import IDENTITY, read_embeddings
from training.data import list_pictures, read_picture
from training.evaluate import Draw, Picture, draw_with, open_model

Draws: TypeAlias = dict[str, Draw]

COLUMNS = 5
DRAWN = 448  # pixels of the short side that a picture is drawn at
SHOWN = 216
PREVIEW = 256
CAPTION = 22
QUALITY = 74


def page(photo: Path, draws: Draws) -> Image.Image:
    """The photograph and all its pictures, each over the name of its style."""
    picture = read_picture(photo, DRAWN).permute(1, 2, 0).numpy()
    cells = [
        cell(picture, "original"),
        *(cell(draw(picture), slug) for slug, draw in draws.items()),
    ]
    return grid(cells)


def middle(picture: Picture, shown: int) -> Image.Image:
    """The largest square in the middle, `shown` pixels wide."""
    height, width, _ = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return cut.resize((shown, shown), Image.Resampling.LANCZOS)


def cell(picture: Picture, name: str) -> Image.Image:
    """The middle of a picture over its name."""
    framed = Image.new("RGB", (SHOWN, SHOWN + CAPTION), "white")
    framed.paste(middle(picture, SHOWN))
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


def preview(photos: Sequence[Path], draw: Draw) -> bytes:
    """A strip of photographs in one style, as a JPEG."""
    strip = Image.new("RGB", (len(photos) * PREVIEW, PREVIEW))
    for place, photo in enumerate(photos):
        picture = draw(read_picture(photo, DRAWN).permute(1, 2, 0).numpy())
        strip.paste(middle(picture, PREVIEW), (place * PREVIEW, 0))
    file = io.BytesIO()
    strip.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def write_previews(catalog: Path, stylizer: str, photos: Sequence[Path], draws: Draws) -> None:
    """A file beside the card of every style that ships, and its digest in the card."""
    for slug, draw in draws.items():
        card = catalog / "styles" / f"{slug}.json"
        content = preview(photos, draw)
        write_whole(card.with_suffix(".jpg"), content)
        facts = {"file": f"{slug}.jpg", "sha256": sha256(content), "stylizer": stylizer}
        write_json(card, {**json.loads(card.read_text("utf-8")), "preview": facts})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.gallery", description=__doc__)
    parser.add_argument("--stylizer", required=True, help="a folder of catalog/stylizers")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"))
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True, help="folder of pages")
    parser.add_argument("--previews", action="store_true", help="also those of the cards")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    folder = chosen.catalog / "stylizers" / chosen.stylizer
    session = open_model(folder / "model.onnx", chosen.threads)
    rows = read_embeddings(chosen.catalog, chosen.stylizer)
    draws = {slug: draw_with(session, row) for slug, row in rows.items() if slug != IDENTITY}
    chosen.out.mkdir(parents=True, exist_ok=True)
    photos = list_pictures(chosen.photos)
    if chosen.previews:
        every = {slug: draw_with(session, row) for slug, row in rows.items()}
        write_previews(chosen.catalog, chosen.stylizer, photos, every)
    for photo in photos:
        path = chosen.out / f"{photo.stem}.jpg"
        page(photo, draws).save(path, quality=QUALITY)
        print(path)


if __name__ == "__main__":
    main()
