"""
One picture optimized by itself, for minutes: the print tier.

Gatys, Ecker, Bethge: Image Style Transfer Using Convolutional Neural Networks (CVPR 2016,
arXiv:1508.06576), from coarse to fine as in Gatys et al. 2017 (arXiv:1611.07865, section 6): large
strokes are found where the picture is small, and every scale begins with what the last one found.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import DataError, as_float
from training.fit import Network
from training.judge import Judge
from training.losses import Backbone, range_loss, total_variation

#: Peak memory, as measured on a CPU with the VGG-19 to relu4_1 in float32: 675 MB at 256x256,
#: 4,578 MB at 1024x1024, 16,439 MB at 2048x2048.
BYTES_PER_PIXEL = 4_400
BYTES_AT_REST = 500_000_000
SMALLEST = 32  # pixels of a side: four at relu4_1, where a reflection needs two


@dataclass(frozen=True)
class Recipe:
    """The balance of losses and the pace."""

    first_side: int = 192  # least short side of the smallest scale; each further one doubles it
    first_steps: int = 80
    steps_share: float = 0.5  # of the steps of the scale before
    fewest_steps: int = 20
    first_move: float = 1e-3  # mean change of a pixel, in 0..1, before any curvature is known
    history: int = 10  # steps that L-BFGS looks back on
    style_weight: float = 20.0  # of a relative error, against a content weight of one
    variation_weight: float = 0.5
    range_weight: float = 10.0
    detail: float = 0.5  # of the photograph's own detail that each further scale begins with


@dataclass(frozen=True)
class Scale:
    """One size of the picture, and how long it is worked on."""

    height: int
    width: int
    steps: int

    @property
    def effort(self) -> int:
        """What its steps take, in pixels: time goes with them."""
        return self.height * self.width * self.steps


@dataclass(frozen=True)
class Seen:
    """How far a print is, and how good it is so far."""

    share: float  #: of the time, 0..1
    steps: int
    content: float
    style: float


@dataclass(frozen=True)
class Commission:
    """What to print: a photograph, in the styles of pictures, in shares."""

    content: Tensor  #: uint8 [3,H,W]
    styles: Sequence[Tensor]  #: uint8 [3,H,W] each
    shares: Sequence[float]
    strength: float = 1.0
    network: Network | None = None  #: draws what to begin with; without it, the photograph is
    embedding: Tensor | None = None  #: float32 [K]


def check_size(height: int, width: int, allowed: int | None) -> None:
    """Raises DataError, saying what would fit, where a print of that size takes more bytes."""
    if min(height, width) < SMALLEST:
        raise DataError(f"{width}x{height} is too small: a side needs {SMALLEST} pixels")
    needed = BYTES_AT_REST + BYTES_PER_PIXEL * height * width
    if allowed is not None and needed > allowed:
        fits = max(0, allowed - BYTES_AT_REST) // BYTES_PER_PIXEL
        raise DataError(
            f"a print of {width}x{height} takes about {needed / 1e9:.1f} GB of memory, and there "
            f"are {allowed / 1e9:.1f} GB for it: {fits:,} pixels would fit"
        )


def scales(height: int, width: int, recipe: Recipe, pace: float = 1.0) -> list[Scale]:
    """From the smallest to the picture's own; `pace` multiplies the steps."""
    short, sides = min(height, width), [float(min(height, width))]
    while sides[0] / 2 >= recipe.first_side:
        sides.insert(0, sides[0] / 2)
    found, steps = [], float(recipe.first_steps)
    for side in sides:
        size = (max(1, round(height * side / short)), max(1, round(width * side / short)))
        found.append(Scale(*size, max(1, round(pace * steps))))
        steps = max(recipe.fewest_steps, steps * recipe.steps_share)
    return found


class Print:
    """A print on its way: `work` goes step by step and may be left at any of them."""

    def __init__(
        self, commission: Commission, backbone: Backbone, recipe: Recipe, pace: float = 1.0
    ) -> None:
        self.commission, self.backbone, self.recipe = commission, backbone, recipe
        self.content = as_float(commission.content[None].to(backbone.device))
        height, width = self.content.shape[2:]
        self.scales = scales(height, width, recipe, pace)
        self.picture = self.content

    def work(self) -> Iterator[Seen]:
        """One optimizer step after the other, the picture in `picture`; none at strength 0."""
        if self.commission.strength == 0:
            return
        effort, done, steps = sum(scale.effort for scale in self.scales), 0, 0
        for number, scale in enumerate(self.scales):
            content = _resized(self.content, scale.height, scale.width)
            self.picture = self._enlarged(content) if number else self._begun(content)
            for kept, painted in self._refine(scale, content):
                done += scale.height * scale.width
                steps += 1
                yield Seen(done / effort, steps, kept, painted)

    def finished(self) -> Tensor:
        """uint8 [3,H,W]; at strength 0 the photograph as it was."""
        return (self.picture[0].detach().clamp(0.0, 1.0) * 255.0).round().byte().cpu()

    def _begun(self, content: Tensor) -> Tensor:
        """The fast drawing, where there is a network: it has most of the way behind it."""
        network, embedding = self.commission.network, self.commission.embedding
        if network is None or embedding is None:
            return content
        with torch.no_grad():
            return network.draw(content, embedding, self.commission.strength)

    def _enlarged(self, content: Tensor) -> Tensor:
        """What the smaller scale found, with some of the detail that no smaller scale can hold."""
        height, width = content.shape[2:]
        found = self.picture
        small = _resized(content, found.shape[2], found.shape[3])
        detail = content - _resized(small, height, width)
        return _resized(found, height, width) + self.recipe.detail * detail

    def _refine(self, scale: Scale, content: Tensor) -> Iterator[tuple[float, float]]:
        """Content and style error after every step; `picture` is the best that was seen."""
        judge = self._judge(min(scale.height, scale.width))
        with torch.no_grad():
            wanted = judge.look(content)
        drawn = self.picture.detach().clone().requires_grad_()
        least, errors = math.inf, (0.0, 0.0)

        def look() -> Tensor:
            nonlocal least, errors
            kept, painted = judge.compare(drawn, wanted, judge.only(1))
            loss = self._loss(drawn, kept, painted)
            if loss.item() < least:
                least, self.picture = loss.item(), drawn.detach().clone()
            errors = (kept.item(), painted.item())
            optimizer.zero_grad()
            # Times the pixels, so that a gradient does not shrink below what L-BFGS looks at.
            (drawn.numel() * loss).backward()
            return loss

        optimizer = _lbfgs(drawn, self.recipe)
        for _ in range(scale.steps):
            optimizer.step(look)
            optimizer.param_groups[0]["lr"] = 1.0
            yield errors
        self.picture = self.picture.clamp(0.0, 1.0)

    def _loss(self, drawn: Tensor, kept: Tensor, painted: Tensor) -> Tensor:
        recipe = self.recipe
        loss: Tensor = (
            kept
            + recipe.style_weight * self.commission.strength * painted
            + recipe.variation_weight * total_variation(drawn)
            + recipe.range_weight * range_loss(drawn)
        ).sum()
        return loss

    def _judge(self, side: int) -> Judge:
        """Style pictures grow with the picture, and so do strokes; none beyond its own size."""
        there = self.backbone.device
        images = [_at_most(style.to(there), side) for style in self.commission.styles]
        judge = Judge(self.backbone, images, torch.float32)
        judge.blend(list(self.commission.shares))
        return judge


def _lbfgs(drawn: Tensor, recipe: Recipe) -> torch.optim.LBFGS:
    """One look a step; its own first step would move all pixels by one in sum."""
    rate = recipe.first_move * drawn.numel()
    return torch.optim.LBFGS(
        [drawn],
        lr=rate,
        max_iter=1,
        history_size=recipe.history,
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )


def _resized(picture: Tensor, height: int, width: int) -> Tensor:
    """[N,3,H,W] in another size."""
    if picture.shape[2:] == (height, width):
        return picture
    size = (height, width)
    return F.interpolate(picture, size, mode="bicubic", antialias=True, align_corners=False)


def _at_most(style: Tensor, side: int) -> Tensor:
    """uint8 [3,H,W] with a short side of `side` pixels, unless it is smaller."""
    _, height, width = style.shape
    scale = side / min(height, width)
    if scale >= 1:
        return style
    small = _resized(as_float(style[None]), round(height * scale), round(width * scale))
    return (small[0].clamp(0.0, 1.0) * 255.0).round().byte()
