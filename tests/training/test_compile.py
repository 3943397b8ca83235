"""Compiled training learns what plain training learns, and nothing that is saved knows of it."""

import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from training.checkpoint import load, read
from training.config import Config
from training.train import Folders, Trainer, train

# PyTorch warns of itself in a dozen ways while it compiles.
pytestmark = pytest.mark.filterwarnings("ignore")

HEADERS = Path(sysconfig.get_path("include")) / "Python.h"
TRACED = "aot_eager"  # all that torch.compile does to a program, but for the machine code


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def losses(trainer: Trainer, steps: int) -> list[dict[str, float]]:
    stage, crops, judges = next(trainer.stages())
    return [trainer.run_step(stage, crops, judges) for _ in range(steps)]


@pytest.mark.skipif(
    not any(map(which, ("c++", "g++", "clang++"))) or not HEADERS.exists(),
    reason="machine code for a CPU needs a C++ compiler and Python's headers",
)
def test_machine_code_has_the_losses_of_a_plain_run(config: Config, folders: Folders) -> None:
    config = replace(config, stages=[replace(config.stages[0], shift_weight=0.0)])  # one size less
    plain = losses(Trainer(config, folders, "cpu", bf16=False), 3)
    fast = losses(Trainer(config, folders, "cpu", bf16=False, compiler="inductor"), 3)
    for one, two in zip(plain, fast, strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("bf16", [False, True])
def test_what_is_compiled_has_the_losses_of_a_plain_run(
    config: Config, folders: Folders, bf16: bool
) -> None:
    plain = losses(Trainer(config, folders, "cpu", bf16), 3)
    fast = losses(Trainer(config, folders, "cpu", bf16, compiler=TRACED), 3)
    for one, two in zip(plain, fast, strict=True):
        assert two == pytest.approx(one, rel=5e-2 if bf16 else 1e-3, abs=1e-6)


def test_a_run_goes_on_with_and_without_over_stages_of_several_sizes(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    config = replace(config, stages=[config.stages[0], replace(config.stages[1], crop=40)])
    plain = Trainer(config, folders, "cpu", bf16=False)
    train(plain, tmp_path / "plain", every=10)

    begun = Trainer(config, folders, "cpu", bf16=False, compiler=TRACED)
    train(begun, tmp_path / "mixed", every=10, until=2)
    for until, compiler in ((4, None), (6, TRACED)):
        trainer = Trainer(config, folders, "cpu", bf16=False, compiler=compiler)
        trainer.restore(read(tmp_path / "mixed" / "checkpoint.pt"))
        train(trainer, tmp_path / "mixed", every=10, until=until)

    saved = read(tmp_path / "mixed" / "checkpoint.pt")
    assert saved["step"] == 6
    assert saved["stylizer"].keys() == plain.stylizer.state_dict().keys()
    assert not any("_orig_mod" in name for part in ("stylizer", "table") for name in saved[part])
    _, stylizer, _ = load(tmp_path / "mixed" / "checkpoint.pt")
    for name, tensor in stylizer.state_dict().items():
        assert torch.allclose(tensor, plain.stylizer.state_dict()[name], rtol=1e-2, atol=1e-3), name
