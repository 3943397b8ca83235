"""Flat, noisy, tiny, huge and broken pictures are refused; whatever has strokes is not."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np
from PIL import Image

from tests.training.conftest import paint
from training import worth
from training.data import DataError
from training.worth import check_worth, open_style

SIDE = 320


def ramp() -> np.ndarray:
    return np.linspace(0, 255, SIDE)[None, :, None] * np.ones((SIDE, 1, 3))


def noise(side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.full((SIDE, SIDE, 3), (120, 30, 60)), "is flat"),
        (ramp(), "is flat"),
        (ramp() * 0.5 + ramp().swapaxes(0, 1) * 0.5, "is flat"),
        (ramp() * 0.9 + noise() * 0.02, "is flat"),
        (noise(), "is noise"),
        (noise(1500), "is noise"),
    ],
    ids=["one colour", "gradient", "two gradients", "faint noise", "noise", "fine noise"],
)
def test_what_has_no_strokes_is_refused(array: np.ndarray, sentence: str) -> None:
    picture = Image.fromarray(array.astype(np.uint8))
    with pytest.raises(DataError, match=rf"picture\.png {sentence}"):
        check_worth(Path("picture.png"), picture)


def test_a_painting_is_taken(tmp_path: Path) -> None:
    paint(tmp_path / "painting.png")
    texture = check_worth(tmp_path / "painting.png", open_style(tmp_path / "painting.png"))
    assert texture.relief > 0.9
    assert texture.form > 0.5


def test_a_tiny_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (800, 255)).save(tmp_path / "tiny.png")
    with pytest.raises(DataError, match=r"800 x 255 pixels; .* short side of 256"):
        open_style(tmp_path / "tiny.png")


def test_a_huge_picture_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worth, "LARGEST", 300 * 300 - 1)
    Image.new("RGB", (300, 300)).save(tmp_path / "huge.png")
    with pytest.raises(DataError, match=r"90,000; at most 89,999"):
        open_style(tmp_path / "huge.png")


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.9])
def test_a_picture_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "painting.png"
    paint(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(DataError, match=r"painting\.png is not a picture"):
        open_style(path)
