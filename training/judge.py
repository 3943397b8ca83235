"""Who scores drawn pictures while something learns: a backbone that has seen the styles."""

import numpy as np
import torch
from torch import Tensor

from training.data import as_float
from training.losses import Backbone, content_loss, gram_matrix, style_loss
from training.model import Stylizer

FAR = 0.5  # relative style error from which the pull grows no more


class Judge:
    """One backbone with the Gram matrices of every style, ready to score a batch."""

    def __init__(self, backbone: Backbone, style_images: list[Tensor], dtype: torch.dtype) -> None:
        self.backbone = backbone.to(dtype=dtype, memory_format=torch.channels_last)
        self.dtype = dtype
        with torch.no_grad():
            grams = [map(gram_matrix, self._look(as_float(s)[None])) for s in style_images]
        self.grams = [torch.cat(layer) for layer in zip(*grams, strict=True)]  # [S,C,C] per layer

    def _look(self, pictures: Tensor) -> list[Tensor]:
        pictures = pictures.to(self.dtype, memory_format=torch.channels_last)
        features: list[Tensor] = self.backbone(pictures)
        return features

    def score(self, drawn: Tensor, content: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Content and style ratios, each [N]."""
        with torch.no_grad():
            wanted = self._look(content)
        features = self._look(drawn)
        return content_loss(features, wanted), style_loss(features, [g[index] for g in self.grams])


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
