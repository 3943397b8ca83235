"""Contact sheets: photographs down, styles across, for looking instead of reading."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

GAP, TITLE = 12, 34
PAPER, INK = (250, 249, 246), (32, 32, 32)

#: A photograph and what became of it, in the order of the titles; None where it failed.
Row = Sequence[Path | bytes | None]


def contact_sheet(titles: Sequence[str], rows: Sequence[Row], path: Path, *, side: int) -> None:
    """Write a JPEG of pictures fitted into `side` pixels, one line a row."""
    lines = [[_thumbnail(picture, side) for picture in row] for row in rows]
    heights = [max((cell.height for cell in line if cell), default=side) for line in lines]
    width = len(titles) * (side + GAP) + GAP
    sheet = Image.new("RGB", (width, TITLE + sum(heights) + GAP * (len(rows) + 1)), PAPER)
    _write(sheet, titles, side)
    top = TITLE + GAP
    for line, height in zip(lines, heights, strict=True):
        for column, cell in enumerate(line):
            if cell is not None:
                left = GAP + column * (side + GAP) + (side - cell.width) // 2
                sheet.paste(cell, (left, top + (height - cell.height) // 2))
        top += height + GAP
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)


def _write(sheet: Image.Image, titles: Sequence[str], side: int) -> None:
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for column, title in enumerate(titles):
        middle = GAP + column * (side + GAP) + side // 2
        pen.text((middle, (GAP + TITLE) // 2), title, INK, font, anchor="mm")


def _thumbnail(picture: Path | bytes | None, side: int) -> Image.Image | None:
    if picture is None:
        return None
    with Image.open(BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        opened.draft("RGB", (side, side))
        small = opened.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small
