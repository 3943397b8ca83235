"""A contact sheet shows every picture, however many styles there are."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from app.sheet import CAPTION, COLUMNS, GAP, contact_sheet


def picture(colour: str, size: tuple[int, int] = (80, 40)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def test_many_styles_take_several_lines(tmp_path: Path) -> None:
    row = [(f"style {number}", picture("red")) for number in range(COLUMNS + 2)]
    contact_sheet([row, [("photograph", picture("blue"))]], tmp_path / "sheet.jpg", side=40)
    line = 20 + GAP + CAPTION
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (COLUMNS * (40 + GAP) + GAP, 3 * line)
        red, blue = (sheet.getpixel((GAP + 20, top + GAP + 10)) for top in (line, 2 * line))
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert red[0] > 200 > 60 > red[2]
    assert blue[2] > 200 > 60 > blue[0]


def test_a_picture_that_failed_leaves_its_place_empty(tmp_path: Path) -> None:
    contact_sheet([[("a", None), ("b", picture("red"))]], tmp_path / "sheet.jpg", side=40)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        empty = sheet.getpixel((GAP + 20, GAP + 10))
    assert isinstance(empty, tuple)
    assert min(empty) > 230
