"""The yardstick measures what it says, on pictures whose answers are known."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("onnxruntime", reason="the training extra is not installed")
pytest.importorskip("onnx", reason="the training extra is not installed")
pytest.importorskip("skimage", reason="the training extra is not installed")

import numpy as np

from training.catalog import read_embeddings
from training.checkpoint import save
from training.config import Config
from training.evaluate import (
    Content,
    Draw,
    Picture,
    draw_with,
    evaluate,
    grams_of,
    look,
    open_model,
    score,
    store,
)
from training.export import export
from training.gallery import page
from training.losses import Backbone
from training.train import Folders, Trainer

RNG = np.random.default_rng(5)
NOISE = RNG.integers(0, 256, (64, 80, 3), dtype=np.uint8)


@pytest.fixture
def judge(folders: Folders) -> Backbone:
    return Backbone.load(folders.backbones / "tiny.safetensors")


def test_an_untouched_photograph_loses_no_content_and_is_perfectly_steady(judge: Backbone) -> None:
    wanted = grams_of(look(judge, NOISE[::-1, :48].copy()))
    numbers = score(judge, lambda picture: picture, wanted, Content(NOISE, look(judge, NOISE)))
    assert numbers["content"] == 0
    assert numbers["ssim"] == pytest.approx(1)
    assert numbers["shift"] == 0
    assert numbers["style"] == numbers["style_of_the_photograph"] > 0


def test_the_style_picture_itself_has_no_style_error(judge: Backbone) -> None:
    wanted = grams_of(look(judge, NOISE))
    other = np.full_like(NOISE, 90)
    numbers = score(
        judge, lambda p: NOISE[-len(p) :, -p.shape[1] :], wanted, Content(other, look(judge, other))
    )
    assert numbers["style"] == pytest.approx(0, abs=1e-9)
    assert numbers["content"] > 0.5
    assert numbers["ssim"] < 0.2


def test_a_painter_who_hangs_on_the_grid_is_found_unsteady(judge: Backbone) -> None:
    def woven(picture: Picture) -> Picture:
        rows = np.arange(picture.shape[0])[:, None, None] % 2
        return np.where(rows == 0, picture, 255 - picture).astype(np.uint8)

    content = Content(NOISE, look(judge, NOISE))
    numbers = score(judge, woven, grams_of(look(judge, NOISE)), content)
    assert numbers["shift"] > 50


def test_the_numbers_of_a_shipped_stylizer_end_in_its_cards(
    config: Config, folders: Folders, judge: Backbone, tmp_path: Path
) -> None:
    save(tmp_path / "checkpoint.pt", Trainer(config, folders, "cpu", bf16=False).checkpoint())
    catalog = tmp_path / "catalog"
    folder = export(tmp_path / "checkpoint.pt", folders.styles, catalog)
    session = open_model(folder / "model.onnx", threads=1)
    row = read_embeddings(catalog, folder.name)["scream"]
    draws: dict[str, Draw] = {"scream": draw_with(session, row)}
    styles = {"scream": folders.styles / "two.png"}
    found = evaluate(draws, folders.photos, styles, judge, side=48, limit=2)
    store(catalog, folder.name, {"photographs": {"48": 2}, "sides": {"48": found}})

    store(catalog, folder.name, {"photographs": {"64": 2}, "sides": {"64": {}}})
    kept = json.loads((folder / "model.json").read_text())["evaluation"]
    assert kept["photographs"] == {"48": 2, "64": 2}

    card = json.loads((catalog / "styles" / "scream.json").read_text())
    assert card["baselines"] == {folder.name: {"48": found["scream"]}}
    assert set(found["scream"]) >= {"content", "style", "ssim", "shift", "jpeg"}
    export(tmp_path / "checkpoint.pt", folders.styles, catalog)
    again = json.loads((catalog / "styles" / "scream.json").read_text())
    assert again["baselines"] == card["baselines"]


def test_a_page_of_the_gallery_holds_the_photograph_and_every_style(folders: Folders) -> None:
    photo = folders.photos / "0.png"
    whole = page(photo, {"plain": lambda picture: picture, "dark": np.zeros_like})
    first, second, third = (
        np.array(whole.crop((place * 222 + 3, 3, place * 222 + 219, 219))) for place in range(3)
    )
    assert np.array_equal(first, second)
    assert third.max() == 0
