"""All work goes to the device that was named, shown on one that refuses whatever stayed behind."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np
import torch
from torch import Tensor

from tests.training.conftest import paint
from tests.training.elsewhere import Elsewhere, elsewhere
from training.allowance import allowance
from training.cards import Words
from training.catalog import read_embeddings
from training.checkpoint import read, save
from training.config import Config
from training.contact_sheet import save_sheet
from training.data import DataError, read_picture
from training.device import open_device, repeat_exactly, room
from training.evaluate import look
from training.export import export
from training.fit import Fit, Recipe, nearest, score
from training.judge import Judge
from training.lesson import Lesson, Order, open_network
from training.losses import Backbone
from training.optimization import Commission, Print
from training.optimization import Recipe as PrintRecipe
from training.progress import Progress
from training.train import Folders, Trainer, train
from training.views import Views

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
TINY = "tiny-0.0.1"
RECIPE = Recipe(batch=2, crop=32)
WORDS = ("name", "title", "artist", "licence", "licensor", "evidence")


@pytest.fixture
def catalog(config: Config, folders: Folders, tmp_path: Path) -> Path:
    train(Trainer(config, folders, CPU, bf16=False), tmp_path / "run", every=10)
    export(tmp_path / "run" / "checkpoint.pt", folders.styles, tmp_path / "catalog")
    return tmp_path / "catalog"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    paint(tmp_path / "painting.png")
    return tmp_path / "painting.png"


def test_what_stayed_behind_is_noticed() -> None:
    with elsewhere() as there:
        one = torch.ones(3, device=there)
        assert (one + one).cpu().tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError, match=r"aten::add: tensors of the CPU \[\[3\]\]"):
            one + torch.ones(3)
        with pytest.raises(RuntimeError, match="aten::convolution"):
            torch.nn.Conv2d(3, 3, 3).to(there)(torch.ones(1, 3, 8, 8))


def trained(config: Config, folders: Folders, device: torch.device, sheet: Path) -> Trainer:
    trainer = Trainer(config, folders, device, bf16=False)
    stage, crops, judges = next(trainer.stages())
    for _ in range(2):
        trainer.run_step(stage, crops, judges)
    save_sheet(sheet, trainer.held_out, trainer.stylizer, trainer.table, side=32, shown=32)
    return trainer


def test_training_happens_there(config: Config, folders: Folders, tmp_path: Path) -> None:
    here = trained(config, folders, CPU, tmp_path / "here.png")
    with elsewhere() as there:
        away = trained(config, folders, there, tmp_path / "there.png")
        for name, tensor in away.stylizer.state_dict().items():
            assert isinstance(tensor, Elsewhere), name
            assert torch.equal(tensor.cpu(), here.stylizer.state_dict()[name]), name
        assert torch.equal(away.table.identity.cpu(), here.table.identity)
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()


def fitted(
    catalog: Path, folders: Folders, painting: Path, device: torch.device
) -> tuple[Tensor, tuple[float, float]]:
    """The embedding after three steps, and its numbers."""
    network = open_network(catalog, TINY, device)
    backbone = Backbone.load(folders.backbones / "tiny.safetensors").to(device)
    judge = Judge(backbone, [read_picture(painting, 64)], torch.float32)
    photos = [read_picture(path).to(device) for path in sorted(folders.photos.iterdir())]
    start = network.known[nearest(network, judge, photos)]
    fit = Fit(network, start, judge, Views(photos, seed=1, jitter=True), RECIPE)
    for step in range(3):
        fit.step(step / 3)
    return fit.embedding.cpu(), score(network, judge, fit.embedding, photos)


def test_a_style_is_fitted_there(catalog: Path, folders: Folders, painting: Path) -> None:
    here = fitted(catalog, folders, painting, CPU)
    with elsewhere() as there:
        away = fitted(catalog, folders, painting, there)
    assert torch.equal(away[0], here[0])
    assert away[1] == here[1]


def test_a_whole_lesson_happens_there(
    catalog: Path, folders: Folders, painting: Path, tmp_path: Path
) -> None:
    with elsewhere() as there, Progress("test", 1.0, as_json=True) as progress:
        order = Order(
            picture=painting,
            words=Words("sunrise", 1, "Sunrise", "Monet", 1872, "", "MIT", "nobody", "made up"),
            stylizer=TINY,
            catalog=catalog,
            photos=folders.photos,
            backbone=folders.backbones / "tiny.safetensors",
            preview=tmp_path / "preview.png",
            minutes=0.05,
            recipe=RECIPE,
            device=there,
        )
        card = Lesson(order, progress).run()
        assert card["learned"]["device"] == str(there)
        assert card["learned"]["steps"] > 0
    assert read_embeddings(catalog, TINY)["sunrise"].isfinite().all()


def printed(catalog: Path, folders: Folders, painting: Path, device: torch.device) -> Tensor:
    network = open_network(catalog, TINY, device)
    backbone = Backbone.load(folders.backbones / "tiny.safetensors").to(device)
    photo = read_picture(folders.photos / "0.png")
    styles = [read_picture(painting), read_picture(folders.styles / "one.png")]
    commission = Commission(photo, styles, [0.7, 0.3], 0.9, network, network.known["scream"])
    recipe = PrintRecipe(first_side=24, first_steps=4, fewest_steps=2)
    work = Print(commission, backbone, recipe)
    assert len(list(work.work())) == 6
    return work.finished()


def test_a_print_is_made_there(catalog: Path, folders: Folders, painting: Path) -> None:
    here = printed(catalog, folders, painting, CPU)
    with elsewhere() as there:
        away = printed(catalog, folders, painting, there)
    assert type(away) is Tensor
    assert torch.equal(away, here)


def test_the_yardstick_looks_there(folders: Folders) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    with elsewhere() as there:
        judge = Backbone.load(folders.backbones / "tiny.safetensors").to(there)
        assert all(isinstance(feature, Elsewhere) for feature in look(judge, picture))


def test_a_checkpoint_made_there_is_read_here(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    with elsewhere() as there:
        trainer = Trainer(config, folders, there, bf16=False)
        state = trainer.stylizer.state_dict()
        save(tmp_path / "checkpoint.pt", {name: tensor.cpu() for name, tensor in state.items()})
    again = read(tmp_path / "checkpoint.pt")
    assert all(tensor.device == CPU for tensor in again.values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_a_gpu_that_is_not_there_is_refused_and_never_chosen() -> None:
    assert open_device() == open_device("cpu") == CPU
    with pytest.raises(DataError, match=r"cuda:3 is not to be had: .* sees 0 GPUs"):
        open_device("cuda:3")
    with pytest.raises(DataError, match="cuda is not to be had"):
        open_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "meta", "", "cuda:x"])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="is no device"):
        open_device(name)


def test_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000 * device.index, 9_000))
    assert room(torch.device("cuda:2")) == 1_600
    assert (room(CPU) or 0) == pytest.approx(allowance() or 0, rel=0.3)


def test_only_a_cpu_is_held_to_the_same_bytes() -> None:
    try:
        repeat_exactly(CPU)
        assert torch.get_deterministic_debug_mode() == 2
        repeat_exactly(torch.device("cuda:0"))
        assert torch.get_deterministic_debug_mode() == 1
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
@pytest.mark.parametrize("module", ["optimize", "learn", "device"])
def test_a_command_refuses_a_gpu_that_is_not_there(module: str, painting: Path) -> None:
    options: dict[str, list[object]] = {
        "optimize": [painting, f"--style={painting}", f"--out={painting.parent / 'out.png'}"],
        "learn": [painting, "--year=1", *(f"--{word}=x" for word in WORDS)],
        "device": ["cuda"],
    }
    given = options[module]
    more = [] if module == "device" else ["--device=cuda"]
    command = [sys.executable, "-m", f"training.{module}", *map(str, given), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("impasto: cuda is not to be had")
    assert not (painting.parent / "out.png").exists()
