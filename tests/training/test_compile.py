"""Compiled training learns what plain training learns, and nothing that is saved knows of it."""

import sysconfig
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from training.checkpoint import load, read
from training.config import Config
from training.train import Folders, Trainer, train

HEADERS = Path(sysconfig.get_path("include")) / "Python.h"
pytestmark = [
    pytest.mark.skipif(
        not any(map(which, ("c++", "g++", "clang++"))) or not HEADERS.exists(),
        reason="torch.compile needs a C++ compiler and Python's headers",
    ),
    # PyTorch warns of itself in a dozen ways while it compiles
    pytest.mark.filterwarnings("ignore"),
]


def losses(trainer: Trainer, steps: int) -> list[dict[str, float]]:
    stage, crops, judges = next(trainer.stages())
    return [trainer.run_step(stage, crops, judges) for _ in range(steps)]


def test_a_compiled_run_has_the_losses_of_a_plain_one(config: Config, folders: Folders) -> None:
    plain = losses(Trainer(config, folders, "cpu", bf16=False), 3)
    fast = losses(Trainer(config, folders, "cpu", bf16=False, compiled=True), 3)
    for one, two in zip(plain, fast, strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-6)


def test_compiled_in_sixteen_bits_it_is_as_near_as_sixteen_bits_are(
    config: Config, folders: Folders
) -> None:
    plain = losses(Trainer(config, folders, "cpu", bf16=True), 2)
    fast = losses(Trainer(config, folders, "cpu", bf16=True, compiled=True), 2)
    for one, two in zip(plain, fast, strict=True):
        assert two == pytest.approx(one, rel=5e-2, abs=1e-3)


def test_a_run_goes_on_with_and_without_over_stages_of_several_sizes(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    stages = [config.stages[0], replace(config.stages[1], crop=40)]
    config = replace(config, stages=stages)
    plain = Trainer(config, folders, "cpu", bf16=False)
    train(plain, tmp_path / "plain", every=10)

    for place, (until, compiled) in enumerate([(2, True), (4, False), (None, True)]):
        trainer = Trainer(config, folders, "cpu", bf16=False, compiled=compiled)
        if place:
            trainer.restore(read(tmp_path / "mixed" / "checkpoint.pt"))
        train(trainer, tmp_path / "mixed", every=10, until=until)

    saved = read(tmp_path / "mixed" / "checkpoint.pt")
    assert saved["step"] == 6
    assert saved["stylizer"].keys() == plain.stylizer.state_dict().keys()
    assert not any("_orig_mod" in name for part in ("stylizer", "table") for name in saved[part])
    _, stylizer, _ = load(tmp_path / "mixed" / "checkpoint.pt")
    for name, tensor in stylizer.state_dict().items():
        assert torch.allclose(tensor, plain.stylizer.state_dict()[name], rtol=1e-2, atol=1e-3), name
