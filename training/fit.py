"""Finds the vector that makes a frozen network paint in the manner of one picture."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.contact_sheet import stylize
from training.judge import Judge, calm, shift_error
from training.losses import range_loss, total_variation
from training.model import Stylizer, at_strength
from training.views import Views, middle

PROBE_SIDE = 192  # pixels at which the styles of the catalog are compared with a new one
CHECK_SIDE = 256


@dataclass(frozen=True)
class Recipe:
    """The balance of losses, that of a stylizer's own last stages, and the pace."""

    batch: int = 4
    crop: int = 160
    rate: float = 2.5e-2
    style_weight: float = 6.0  # of a relative error, against a content weight of one
    variation_weight: float = 0.5
    range_weight: float = 10.0
    shift_weight: float = 10.0
    part_strength: float = 0.12  # share of pictures drawn at a random strength
    warmup: int = 10
    style_side: int = 384  # short side at which the style's Gram matrices are taken


@dataclass(frozen=True)
class Network:
    """A shipped stylizer, what strength 0 means to it, and the styles it knows by slug."""

    stylizer: Stylizer
    identity: Tensor
    known: dict[str, Tensor]
    card: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where it draws, and where its embeddings lie."""
        return self.identity.device

    def draw(self, content: Tensor, embedding: Tensor, strength: float = 1.0) -> Tensor:
        """content [N,3,H,W] in 0..1 in one style [K]; the pictures within 0..1."""
        share = torch.full((len(content),), strength, device=self.device)
        style = embedding.expand(len(content), -1)
        return stylize(content, self.stylizer, at_strength(style, share, self.identity))


class Fit:
    """An embedding on its way; nothing else changes."""

    def __init__(
        self, network: Network, start: Tensor, judge: Judge, views: Views, recipe: Recipe
    ) -> None:
        network.stylizer.requires_grad_(False)
        self.network, self.judge, self.views, self.recipe = network, judge, views, recipe
        self.row = nn.Parameter(start[:-3].clone())  # no kept share: it would stay a photograph
        self.optimizer = torch.optim.Adam([self.row], betas=(0.9, 0.99))
        self.steps = 0

    @property
    def embedding(self) -> Tensor:
        """float32 [K]."""
        return F.pad(self.row.detach(), (0, 3))

    def step(self, share: float) -> None:
        """One optimizer step, `share` (0..1) of the way through."""
        recipe = self.recipe
        rise = min(1.0, (self.steps + 1) / recipe.warmup)
        rate = recipe.rate * rise * (0.505 + 0.495 * math.cos(math.pi * share))
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad()
        self._loss(np.random.default_rng((self.views.seed, self.steps, 1))).backward()
        self.optimizer.step()
        self.steps += 1

    def _loss(self, rng: np.random.Generator) -> Tensor:
        """What `train` minimizes, for one style."""
        recipe = self.recipe
        content = self.views.at(self.steps, recipe.crop, recipe.batch)
        strength = _strengths(recipe, rng).to(self.network.device)
        style = F.pad(self.row, (0, 3)).expand(recipe.batch, -1)
        embedding = at_strength(style, strength, self.network.identity)
        with torch.autocast(
            content.device.type, torch.bfloat16, self.judge.dtype == torch.bfloat16
        ):
            drawn = self.network.stylizer(content, embedding).float()
            shift = shift_error(self.network.stylizer, content, embedding, drawn, rng)
        kept, painted = self.judge.score(drawn, content, self.judge.only(recipe.batch))
        loss: Tensor = (
            kept
            + recipe.style_weight * strength * painted * calm(painted)
            + recipe.variation_weight * total_variation(drawn)
            + recipe.range_weight * range_loss(drawn)
            + recipe.shift_weight * shift
        ).mean()
        return loss


def score(
    network: Network, judge: Judge, embedding: Tensor, photos: list[Tensor], side: int = CHECK_SIDE
) -> tuple[float, float]:
    """Mean content and style error over the middles of photographs, uint8 [3,H,W]."""
    content = torch.cat([middle(photo, side) for photo in photos])
    with torch.no_grad():
        drawn = network.draw(content, embedding)
        kept, painted = judge.score(drawn, content, judge.only(len(photos)))
    return kept.mean().item(), painted.mean().item()


def nearest(network: Network, judge: Judge, photos: list[Tensor]) -> str:
    """The known style whose pictures are most like the new one: the first guess."""
    errors = {
        slug: score(network, judge, embedding, photos, PROBE_SIDE)[1]
        for slug, embedding in network.known.items()
    }
    return min(errors, key=errors.__getitem__)


def _strengths(recipe: Recipe, rng: np.random.Generator) -> Tensor:
    part = rng.random(recipe.batch) < recipe.part_strength
    return torch.from_numpy(np.where(part, rng.random(recipe.batch), 1.0)).float()
