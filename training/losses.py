"""What makes a picture look right: perceptual losses, as ratios so that one weight fits all styles.

Gatys, Ecker, Bethge: Image Style Transfer Using Convolutional Neural Networks (CVPR 2016,
arXiv:1508.06576).
"""

import re
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

CONTENT_LAYER = 3  # relu4_1: objects and their places, not their texture


class Backbone(nn.Module):  # type: ignore[misc]  # untyped to mypy
    """A frozen VGG-19 that tells how alike two pictures are; the file decides how deep and wide."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        #: (block, index in the block) of every 3x3 convolution, in order
        self.layers = sorted({(int(m[1]), int(m[2])) for m in map(_layer, weights) if m})
        for name, tensor in weights.items():
            if (
                "aux" not in name
            ):  # heads into the undistilled channel space, which no loss here needs
                self.register_buffer(_buffer(name), tensor.float())

    @classmethod
    def load(cls, path: Path) -> "Backbone":
        """Read a safetensors file with layers conv0, conv1_1 (or conv11), ..."""
        return cls(load_file(path))

    @property
    def device(self) -> torch.device:
        """Where it looks at pictures."""
        return self.get_buffer("conv0_weight").device

    def forward(self, x: Tensor) -> list[Tensor]:
        """x [N,3,H,W] in 0..1; returns relu1_1, relu2_1, ... each [N,C,H,W]."""
        x = F.conv2d(x, *self._weights("conv0"))  # mean and channel order
        features = []
        for block, index in self.layers:
            if index == 1 and block > 1:
                x = F.max_pool2d(x, 2)
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.relu(F.conv2d(x, *self._weights(f"conv{block}{index}")))
            if index == 1:
                features.append(x)
        return features

    def _weights(self, name: str) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")


def _layer(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"conv(\d)_?(\d)\.weight", name)


def _buffer(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    return f"{stem.replace('_', '')}_{kind}"


def gram_matrix(features: Tensor) -> Tensor:
    """Which channels fire together, wherever: [N,C,H,W] to [N,C,C] in float32."""
    flat = features.permute(0, 2, 3, 1).flatten(1, 2)  # [N,HW,C]
    # Multiplied in the dtype that comes in: bfloat16 is four times faster and off by 2e-6.
    return (flat.transpose(1, 2) @ flat).float() / flat.shape[1]


def relative_error(actual: Tensor, wanted: Tensor) -> Tensor:
    """|actual - wanted|² / |wanted|² of each row: [N,...] to [N]; wanted may be one row for all."""
    difference = (actual.float() - wanted.float()).flatten(1).square().sum(1)
    return difference / wanted.float().flatten(1).square().sum(1).clamp_min(1e-12)


def content_loss(features: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Relative feature error [N] at relu4_1."""
    return relative_error(features[CONTENT_LAYER], wanted[CONTENT_LAYER])


def style_loss(features: list[Tensor], grams: list[Tensor]) -> Tensor:
    """Relative Gram error [N], the mean over all layers; grams are [N,C,C] or [1,C,C]."""
    errors = [
        relative_error(gram_matrix(feature), gram)
        for feature, gram in zip(features, grams, strict=True)
    ]
    return torch.stack(errors).mean(0)


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared step between neighbours [N], the price of noise in flat areas."""
    across = (picture[:, :, :, 1:] - picture[:, :, :, :-1]).square().mean((1, 2, 3))
    down = (picture[:, :, 1:] - picture[:, :, :-1]).square().mean((1, 2, 3))
    return across + down


def range_loss(picture: Tensor) -> Tensor:
    """Mean squared overshoot [N] beyond 0..1, which the export will clip."""
    return (picture - picture.clamp(0.0, 1.0)).square().mean((1, 2, 3))
