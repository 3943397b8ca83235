"""A style learned from one picture: a vector is fitted, a card is written whole or not at all."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from PIL import Image

from tests.training.conftest import draw, paint
from training.cards import Words
from training.catalog import read_embeddings
from training.config import Config
from training.data import DataError, read_picture
from training.export import export
from training.fit import Fit, Recipe, nearest, score
from training.judge import Judge
from training.lesson import Lesson, Order, open_network
from training.losses import Backbone
from training.progress import Progress
from training.quality import against_catalog
from training.train import Folders, Trainer, train
from training.views import Views, split

ROOT = Path(__file__).parents[2]
TINY = "tiny-0.0.1"
RECIPE = Recipe(batch=2, crop=32)


@pytest.fixture
def catalog(config: Config, folders: Folders, tmp_path: Path) -> Path:
    """A stylizer with two styles and the identity."""
    train(Trainer(config, folders, "cpu", bf16=False), tmp_path / "run", every=10)
    export(tmp_path / "run" / "checkpoint.pt", folders.styles, tmp_path / "catalog")
    return tmp_path / "catalog"


@pytest.fixture
def order(catalog: Path, folders: Folders, tmp_path: Path) -> Order:
    paint(tmp_path / "painting.png")
    return Order(
        picture=tmp_path / "painting.png",
        words=Words("sunrise", 1, "Sunrise", "Monet", 1872, "", "MIT", "nobody", "made up"),
        stylizer=TINY,
        catalog=catalog,
        photos=folders.photos,
        backbone=folders.backbones / "tiny.safetensors",
        preview=tmp_path / "preview.png",
        minutes=0.05,
        recipe=RECIPE,
    )


def learned(order: Order) -> dict[str, Any]:
    with Progress("test", 1.0, as_json=True) as progress:
        return Lesson(order, progress).run()


def test_a_learned_style_is_a_card_like_the_others(order: Order) -> None:
    before = (order.catalog / "stylizers" / TINY / "model.onnx").read_bytes()
    card = learned(order)
    written = json.loads((order.catalog / "styles" / "sunrise.json").read_text("utf-8"))
    shipped = json.loads((order.catalog / "styles" / "scream.json").read_text("utf-8"))
    assert written == card
    assert shipped.keys() <= card.keys()
    assert card["style_image"].keys() == shipped["style_image"].keys()
    assert card["learned"]["steps"] > 0
    assert card["learned"]["start"] in {"great-wave", "scream"}
    assert card["quality"]["content"] > 0
    assert card["quality"]["photographs"] == 2
    rows = read_embeddings(order.catalog, TINY)
    assert rows["sunrise"].shape == rows["identity"].shape
    assert torch.equal(rows["sunrise"][-3:], torch.zeros(3))
    assert (order.catalog / "stylizers" / TINY / "model.onnx").read_bytes() == before
    with Image.open(order.preview) as sheet:
        assert sheet.size == (7 * 256, 3 * 256)


def test_fitting_brings_the_picture_nearer_and_leaves_the_network_alone(
    order: Order, folders: Folders
) -> None:
    network = open_network(order.catalog, TINY, torch.device("cpu"))
    weights = {name: tensor.clone() for name, tensor in network.stylizer.state_dict().items()}
    backbone = Backbone.load(folders.backbones / "tiny.safetensors")
    judge = Judge(backbone, [read_picture(order.picture, 64)], torch.float32)
    photos = [read_picture(path) for path in sorted(folders.photos.iterdir())]
    fitted, held_out = split(photos)
    start = network.known[nearest(network, judge, fitted)]
    eager = replace(RECIPE, rate=0.1, style_weight=100.0)  # few steps, and a narrow network
    fit = Fit(network, start, judge, Views(fitted, seed=1, jitter=True), eager)
    before = score(network, judge, fit.embedding, held_out)
    for step in range(40):
        fit.step(step / 40)
    after = score(network, judge, fit.embedding, held_out)
    assert after[1] < 0.8 * before[1]
    for name, tensor in network.stylizer.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_what_the_catalog_has_already_is_kept_and_said(
    order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    known = read_embeddings(order.catalog, TINY)
    frozen = replace(RECIPE, rate=0.0)  # a start that no step makes better
    card = learned(replace(order, recipe=frozen))
    assert card["learned"]["steps"] > 0
    assert card["learned"]["best_step"] == 0
    start = card["learned"]["start"]
    assert torch.equal(read_embeddings(order.catalog, TINY)["sunrise"], known[start])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    details = [one["detail"] for one in said if one["event"] == "warning"]
    assert details == [f"nothing better was found than {start} of the catalog, which is kept"]


def test_a_version_that_exists_is_refused_and_the_next_one_is_not(order: Order) -> None:
    first = learned(order)
    with pytest.raises(DataError, match="sunrise@1 already"):
        learned(order)
    second = learned(replace(order, words=replace(order.words, version=2)))
    styles = order.catalog / "styles"
    assert json.loads((styles / "sunrise.json").read_text("utf-8")) == first
    assert json.loads((styles / "sunrise@2.json").read_text("utf-8")) == second


def test_a_changed_network_is_refused(order: Order) -> None:
    path = order.catalog / "stylizers" / TINY / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="not the file that its card describes"):
        learned(order)


def test_a_stylizer_that_is_not_there_is_named(order: Order) -> None:
    with pytest.raises(DataError, match="heavy-9"):
        learned(replace(order, stylizer="heavy-9"))


def test_three_photographs_are_needed(order: Order, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for seed in range(2):
        draw(tmp_path / "few" / f"{seed}.png", seed)
    with pytest.raises(DataError, match="2 photographs are too few"):
        learned(replace(order, photos=tmp_path / "few"))


def test_numbers_are_held_against_the_catalog_only_when_the_same_judge_took_them() -> None:
    numbers = {"content": 0.7, "style": 0.2}
    own = {"384": {"a": {"content": 0.6, "style": 0.1}, "b": {"content": 0.8, "style": 0.05}}}
    card = {"evaluation": {"sides": own}, "training": {"backbones": {"vgg": {}}}}
    found = against_catalog(numbers, card, "vgg")
    assert found["catalog"] == {"content": [0.6, 0.8], "style": [0.05, 0.1]}
    assert found["within"] is False
    assert against_catalog({**numbers, "style": 0.1}, card, "vgg")["within"] is True
    assert against_catalog(numbers, card, "another")["within"] is None
    assert against_catalog(numbers, {"evaluation": {}}, "vgg")["within"] is None


def command(order: Order, *more: str) -> list[str]:
    given = {"name": "sunrise", "title": "Sunrise", "artist": "Monet", "year": 1872}
    given |= {"licence": "MIT", "licensor": "nobody", "evidence": "made up", "threads": 1}
    given |= {"stylizer": TINY, "catalog": order.catalog, "photos": order.photos}
    given |= {"backbone": order.backbone, "preview": order.preview}
    options = [f"--{name}={value}" for name, value in given.items()]
    return [sys.executable, "-m", "training.learn", str(order.picture), *options, *more]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_leaves_nothing_half_written(order: Order, number: signal.Signals) -> None:
    before = sorted(order.catalog.rglob("*"))
    with subprocess.Popen(
        command(order, "--json", "--minutes=5"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["which"] == "first"
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the catalog is as it was" in said
    assert "Traceback" not in said
    assert sorted(order.catalog.rglob("*")) == before
    with Image.open(order.preview) as sheet:
        sheet.load()
    assert not list(order.preview.parent.glob(".*.part"))


def test_a_refusal_is_a_sentence_and_exit_code_two(order: Order) -> None:
    Image.new("RGB", (300, 300), "teal").save(order.picture)
    answer = subprocess.run(
        command(order), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("impasto: ")
    assert "is flat" in answer.stderr
    assert "Traceback" not in answer.stderr
