"""Where the judge comes from: a file of ours, or the VGG-19 that torchvision publishes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from training.cards import read_sources
from training.data import DataError
from training.losses import CONTENT_LAYER, Backbone

PUBLISHED = "torchvision VGG19_Weights.IMAGENET1K_V1"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what those weights expect, RGB
#: Their place in torchvision's `features`, up to the last layer that a loss looks at.
PLACES = {
    "conv1_1": 0,
    "conv1_2": 2,
    "conv2_1": 5,
    "conv2_2": 7,
    "conv3_1": 10,
    "conv3_2": 12,
    "conv3_3": 14,
    "conv3_4": 16,
    "conv4_1": 19,
}


def load_backbone(path: Path | None) -> Backbone:
    """
    The judge in a safetensors file, or torchvision's VGG-19, fetched and cached by torchvision.

    Raises DataError for a file that is none, and where torchvision or its download is missing.
    """
    if path is None:
        return Backbone(converted(_published()))
    try:
        backbone = Backbone.load(path)
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{path} is not a backbone that can be read: {error}") from error
    if sum(index == 1 for _, index in backbone.layers) <= CONTENT_LAYER:
        raise DataError(f"{path} holds no VGG-19 down to relu4_1")
    return backbone


def backbone_record(path: Path | None) -> dict[str, Any]:
    """What a card says of the judge: name, origin, licence."""
    if path is None:
        return {
            "name": PUBLISHED,
            "origin": "torchvision, trained on ImageNet-1k",
            "licence": "BSD-3-Clause",
        }
    known = read_sources()["backbones"].get(path.name, {"origin": "not recorded"})
    return {"name": path.name, **known}


def converted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    torchvision's names to ours, conv0 doing the normalization that torchvision leaves to callers.

    torchvision pads with zeros where `Backbone` reflects, so features differ within a receptive
    field of the border. Losses compare like with like, and a frame of zeros is no part of a style.
    """
    scale = torch.tensor(DEVIATION)
    weights = {
        "conv0.weight": torch.diag(1 / scale)[:, :, None, None],
        "conv0.bias": -torch.tensor(MEAN) / scale,
    }
    for name, place in PLACES.items():
        for kind in ("weight", "bias"):
            weights[f"{name}.{kind}"] = state[f"features.{place}.{kind}"]
    return weights


def _published() -> Mapping[str, Tensor]:
    try:
        from torchvision.models import VGG19_Weights
    except (ImportError, RuntimeError) as error:  # RuntimeError: one made for another PyTorch
        raise DataError(
            "no --backbone file was given, and torchvision, which would fetch its VGG-19, is not "
            f"to be had: pip install 'impasto[training]' ({error})"
        ) from error
    try:
        state: Mapping[str, Tensor] = VGG19_Weights.IMAGENET1K_V1.get_state_dict(
            progress=True, check_hash=True
        )
    except (OSError, RuntimeError) as error:  # no network; another file than was published
        raise DataError(f"torchvision could not fetch its VGG-19: {error}") from error
    return state
