"""The network keeps its promises: cheap, exact at strength 0, free of borders' surprises."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from training.config import Config
from training.contact_sheet import stylize
from training.model import StyleTable, Stylizer, StylizerShape, kmac_per_pixel

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


def test_light_costs_at_most_38_kmac_a_pixel() -> None:
    assert kmac_per_pixel(StylizerShape()) == pytest.approx(36.96)
    assert kmac_per_pixel(StylizerShape()) <= 38


def test_standard_costs_at_most_160_kmac_a_pixel() -> None:
    shape = Config.load(CONFIGS / "standard-0.1.0.toml").shape
    assert kmac_per_pixel(shape) == pytest.approx(143.0, abs=0.5)
    assert kmac_per_pixel(shape) <= 160
    network, table = Stylizer(shape), StyleTable(shape, 1)
    assert stylize(torch.rand(1, 3, 33, 35), network, table.styles).shape == (1, 3, 33, 35)


def test_the_count_is_what_the_convolutions_do(network: Stylizer, table: StyleTable) -> None:
    counted = 0

    def count(module: Any, inputs: Any, output: Any) -> None:
        nonlocal counted
        counted += output.shape[2] * output.shape[3] * module.weight.numel()

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    stylize(torch.rand(1, 3, 64, 32), network, table.styles[:1])
    assert counted / (64 * 32) / 1000 == pytest.approx(kmac_per_pixel(network.shape))


def test_the_identity_returns_the_photograph(network: Stylizer, table: StyleTable) -> None:
    content = torch.rand(2, 3, 36, 40)
    embedding = table(torch.tensor([0, 1]), torch.zeros(2))
    assert torch.equal(network(content, embedding), content)


def test_full_strength_is_the_style_itself(table: StyleTable) -> None:
    embedding = table(torch.tensor([2]), torch.ones(1))
    torch.testing.assert_close(embedding[0], table.styles[2])


def test_strength_leads_away_from_the_photograph(network: Stylizer, table: StyleTable) -> None:
    content = torch.rand(1, 3, 32, 32).repeat(4, 1, 1, 1)
    embedding = table(torch.zeros(4, dtype=torch.long), torch.tensor([0.0, 0.1, 0.2, 0.3]))
    apart = (network(content, embedding) - content).square().mean((1, 2, 3)).tolist()
    assert apart == sorted(apart)
    assert apart[-1] > 0


def test_any_side_comes_back_as_it_was(network: Stylizer, table: StyleTable) -> None:
    for height, width in ((32, 33), (35, 34), (47, 61)):
        drawn = stylize(torch.rand(1, 3, height, width), network, table.styles[:1])
        assert drawn.shape == (1, 3, height, width)


def test_neighbours_in_a_batch_do_not_touch(network: Stylizer, table: StyleTable) -> None:
    content = torch.rand(3, 3, 32, 32)
    together = network(content, table.styles)
    alone = [network(content[i : i + 1], table.styles[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)
