"""Contact sheets: photographs down, styles across, for looking instead of reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

GAP, TITLE = 12, 34
PAPER, INK = (250, 249, 246), (32, 32, 32)


@dataclass(frozen=True)
class Row:
    """A photograph and what became of it, in the order of the titles; None where it failed."""

    pictures: Sequence[Path | bytes | None]


def contact_sheet(titles: Sequence[str], rows: Sequence[Row], path: Path, *, side: int) -> None:
    """Write a JPEG with one cell of `side` pixels per picture."""
    cell = side + GAP
    sheet = Image.new("RGB", (len(titles) * cell + GAP, TITLE + len(rows) * cell + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(18)
    for column, title in enumerate(titles):
        x = GAP + column * cell + side // 2
        pen.text((x, GAP + TITLE // 2), title, INK, font, anchor="mm")
    for line, row in enumerate(rows):
        for column, picture in enumerate(row.pictures):
            if picture is not None:
                corner = (GAP + column * cell, GAP + TITLE + line * cell)
                _paste(sheet, picture, corner, side)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)


def _paste(sheet: Image.Image, picture: Path | bytes, corner: tuple[int, int], side: int) -> None:
    with Image.open(BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        opened.draft("RGB", (side, side))
        small = opened.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
    x, y = corner
    sheet.paste(small, (x + (side - small.width) // 2, y + (side - small.height) // 2))
