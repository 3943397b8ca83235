"""
A network small enough for a coffee break, with everything the real one has.

What needs torch is imported inside: a machine without it skips these tests and runs the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from training.config import Config
    from training.model import StyleTable, Stylizer, StylizerShape
    from training.train import Folders

STYLES = {"great-wave": "one.png", "scream": "two.png"}


def draw(path: Path, seed: int, side: int = 48) -> None:
    """A coloured gradient with noise: picture enough."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, side)[:, None, None] * rng.random((1, side, 3))
    array = (ramp + rng.random((side, side, 3)) * 55).astype(np.uint8)
    Image.fromarray(array).save(path)


def paint(path: Path, seed: int = 0, side: int = 320) -> None:
    """Blobs of colour eight pixels wide: something with strokes."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (side // 8, side // 8, 3)).astype(np.uint8))
    coarse.resize((side, side), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def tiny() -> StylizerShape:
    import torch

    from training.model import StylizerShape

    torch.set_num_threads(1)  # more would only get into each other's way at this size
    return StylizerShape(widths=(4, 6, 8), blocks=1)


@pytest.fixture
def network(tiny: StylizerShape) -> Stylizer:
    import torch

    from training.model import Stylizer

    torch.manual_seed(1)
    network = Stylizer(tiny)
    network.eval()
    return network


@pytest.fixture
def table(tiny: StylizerShape) -> StyleTable:
    import torch

    from training.model import StyleTable

    torch.manual_seed(2)
    table = StyleTable(tiny, 3)
    with torch.no_grad():
        table.rows += 0.5 * torch.randn_like(table.rows)
        table.rest += 0.5 * torch.randn_like(table.rest)
    return table


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Six photographs, two paintings and a narrow backbone of random weights."""
    from safetensors.torch import save_file

    from training.train import Folders

    found = Folders(tmp_path / "photos", tmp_path / "styles", tmp_path / "backbones")
    for folder in (found.photos, found.styles, found.backbones):
        folder.mkdir()
    for seed in range(6):
        draw(found.photos / f"{seed}.png", seed)
    for seed, name in enumerate(STYLES.values(), start=100):
        draw(found.styles / name, seed)
    save_file(backbone_weights(), found.backbones / "tiny.safetensors")
    return found


def backbone_weights() -> dict[str, Tensor]:
    import torch

    torch.manual_seed(3)
    names = {"conv0": (3, 3, 1), "conv1_1": (4, 3, 3), "conv2_1": (5, 4, 3)}
    names |= {"conv3_1": (6, 5, 3), "conv4_1": (7, 6, 3)}
    weights = {}
    for name, (out, into, kernel) in names.items():
        weights[f"{name}.weight"] = torch.randn(out, into, kernel, kernel) * 0.3
        weights[f"{name}.bias"] = torch.randn(out) * 0.1
    return weights


@pytest.fixture
def config(tiny: StylizerShape) -> Config:
    from training.config import Config, Stage

    stage = Stage(
        steps=3,
        batch=2,
        crop=32,
        learning_rate=1e-2,
        style_rate=1e-2,
        style_weight=2.0,
        backbones=["tiny.safetensors"],
        shift_weight=1.0,
        warmup=1,
    )
    return Config(
        name="tiny",
        version="0.0.1",
        seed=1,
        style_side=40,
        part_strength=0.5,
        styles=STYLES,
        stages=[stage, stage],
        shape=tiny,
    )
