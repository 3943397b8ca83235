"""Who scores drawn pictures while something learns: a backbone that has seen the styles."""

import time

import numpy as np
import torch
from torch import Tensor

from training.data import as_float
from training.losses import Backbone, content_loss, gram_matrix, style_loss
from training.model import Stylizer

PROBE = (1, 64, 64, 64)  # pictures, channels, height, width of a convolution that tells
FAR = 0.5  # relative style error from which the pull grows no more


class Judge:
    """One backbone with the Gram matrices of every style, ready to score a batch."""

    def __init__(self, backbone: Backbone, style_images: list[Tensor], dtype: torch.dtype) -> None:
        self.backbone = backbone.to(dtype=dtype, memory_format=torch.channels_last)
        self.dtype, self.device = dtype, backbone.device
        images = [as_float(image.to(self.device))[None] for image in style_images]
        with torch.no_grad():
            grams = [map(gram_matrix, self.look(image)) for image in images]
        self.grams = [torch.cat(layer) for layer in zip(*grams, strict=True)]  # [S,C,C] per layer

    def blend(self, shares: list[float]) -> None:
        """From now on one style: the styles' matrices in these shares."""
        parts = torch.tensor(shares, device=self.device)[:, None, None] / sum(shares)
        self.grams = [(parts.to(gram) * gram).sum(0, keepdim=True) for gram in self.grams]

    def only(self, pictures: int) -> Tensor:
        """The index [N] that means the first style for all pictures."""
        return torch.zeros(pictures, dtype=torch.long, device=self.device)

    def look(self, pictures: Tensor) -> list[Tensor]:
        """What the backbone sees in pictures [N,3,H,W] in 0..1."""
        pictures = pictures.to(self.dtype, memory_format=torch.channels_last)
        features: list[Tensor] = self.backbone(pictures)
        return features

    def score(self, drawn: Tensor, content: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Content and style ratios, each [N]."""
        with torch.no_grad():
            wanted = self.look(content)
        return self.compare(drawn, wanted, index)

    def compare(self, drawn: Tensor, wanted: list[Tensor], index: Tensor) -> tuple[Tensor, Tensor]:
        """Content and style ratios, each [N], against content that was looked at before."""
        features = self.look(drawn)
        return content_loss(features, wanted), style_loss(features, [g[index] for g in self.grams])


def swift_dtype(device: torch.device) -> torch.dtype:
    """
    The float in which the device convolves fastest; on a CPU by a trial of some milliseconds.

    Without instructions for bfloat16 a CPU takes more than ten times as long as for float32 (AVX2).
    """
    if device.type != "cpu":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float32
    return min((torch.bfloat16, torch.float32), key=_trial)


def _trial(dtype: torch.dtype) -> float:
    """Seconds of one convolution, the better of two after a first one."""
    x = torch.ones(PROBE, dtype=dtype, device="cpu").to(memory_format=torch.channels_last)
    weight = torch.ones(PROBE[1], PROBE[1], 3, 3, dtype=dtype, device="cpu")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        torch.conv2d(x, weight, padding=1)
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def calm(error: Tensor) -> Tensor:
    """Lets a far style pull no harder than a near one, or it tears the others along."""
    return (FAR / error.detach()).clamp(max=1.0)


def shift_error(
    stylizer: Stylizer, content: Tensor, embedding: Tensor, drawn: Tensor, rng: np.random.Generator
) -> Tensor:
    """How far a photograph moved by one to three pixels is from being drawn as before, [N].

    Strokes that hang on the network's grid of four pixels look woven, and flicker in a film.
    """
    down, right = (int(pixels) for pixels in rng.integers(1, 4, size=2))
    side = content.shape[2] - 4
    window = (..., slice(down, down + side), slice(right, right + side))
    apart = stylizer(content[window], embedding).float() - drawn[window]
    margin = side // 15  # near the border the two see different reflections
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    return apart[inner].square().mean((1, 2, 3))
