"""Where a training run is put away, and where everything else finds its network."""

from pathlib import Path
from typing import Any

import torch

from training.config import Config
from training.model import StyleTable, Stylizer


def save(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write beside and rename, so that a killed process leaves the last good checkpoint."""
    torch.save(checkpoint, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def read(path: Path) -> dict[str, Any]:
    """The plain values and tensors of a checkpoint; nothing in it may run code."""
    saved: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return saved


def load(path: Path) -> tuple[Config, Stylizer, StyleTable]:
    """The network and the styles of a checkpoint, ready to draw."""
    saved = read(path)
    config = Config.from_dict(saved["config"])
    stylizer, table = Stylizer(config.shape), StyleTable(config.shape, len(config.styles))
    stylizer.load_state_dict(saved["stylizer"])
    table.load_state_dict(saved["table"])
    stylizer.eval()
    return config, stylizer, table
