"""Contact sheets: each photograph and all that was made of it, for looking instead of reading."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

GAP, CAPTION = 10, 24
COLUMNS = 9
PAPER, INK = (250, 249, 246), (32, 32, 32)

Shown: TypeAlias = tuple[str, Path | bytes | None]  #: a caption and a picture, None where it failed


def contact_sheet(rows: Sequence[Sequence[Shown]], path: Path, *, side: int) -> None:
    """Write a JPEG of pictures fitted into `side` pixels; a row takes as many lines as it needs."""
    lines = [row[start : start + COLUMNS] for row in rows for start in range(0, len(row), COLUMNS)]
    drawn = [_line(line, side) for line in lines]
    width = max(line.width for line in drawn)
    sheet = Image.new("RGB", (width, sum(line.height for line in drawn)), PAPER)
    top = 0
    for line in drawn:
        sheet.paste(line, (0, top))
        top += line.height
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=85)


def _line(shown: Sequence[Shown], side: int) -> Image.Image:
    cells = [_thumbnail(picture, side) for _, picture in shown]
    height = max((cell.height for cell in cells if cell), default=side)
    size = len(shown) * (side + GAP) + GAP, height + GAP + CAPTION
    line = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(line), ImageFont.load_default(15)
    for column, ((caption, _), cell) in enumerate(zip(shown, cells, strict=True)):
        left = GAP + column * (side + GAP)
        if cell is not None:
            line.paste(cell, (left + (side - cell.width) // 2, GAP + (height - cell.height) // 2))
        middle = left + side // 2, GAP + height + CAPTION // 2
        pen.text(middle, caption, INK, font, anchor="mm")
    return line


def _thumbnail(picture: Path | bytes | None, side: int) -> Image.Image | None:
    if picture is None:
        return None
    with Image.open(BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        opened.draft("RGB", (side, side))
        small = opened.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small
