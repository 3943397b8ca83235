"""Losses whose value anyone can work out on paper."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from training.losses import (
    Backbone,
    content_loss,
    gram_matrix,
    range_loss,
    relative_error,
    style_loss,
    total_variation,
)
from training.train import Folders


def test_gram_matrix_is_the_mean_product_of_channels() -> None:
    features = torch.tensor([[[[1.0, 3.0]], [[2.0, 0.0]]]])  # [1,2,1,2]
    assert gram_matrix(features).tolist() == [[[5.0, 1.0], [1.0, 2.0]]]


def test_relative_error_is_one_where_nothing_is_left_and_zero_where_all_is() -> None:
    wanted = torch.rand(2, 3, 4)
    assert relative_error(torch.zeros(2, 3, 4), wanted).tolist() == pytest.approx([1.0, 1.0])
    assert relative_error(wanted, wanted).tolist() == [0.0, 0.0]
    assert relative_error(3 * wanted, wanted).tolist() == pytest.approx([4.0, 4.0])


def test_relative_error_of_nothing_wanted_is_finite() -> None:
    assert torch.isfinite(relative_error(torch.ones(1, 2), torch.zeros(1, 2))).all()


def test_a_doubled_picture_has_fourfold_gram_matrices() -> None:
    features = [torch.rand(2, 3, 4, 4) for _ in range(4)]
    grams = [gram_matrix(feature) for feature in features]
    doubled = [2 * feature for feature in features]
    assert style_loss(doubled, grams).tolist() == pytest.approx([9.0, 9.0], rel=1e-4)
    assert content_loss(doubled, features).tolist() == pytest.approx([1.0, 1.0])


def test_total_variation_of_stripes() -> None:
    stripes = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(1, 3, 4, 4)
    assert total_variation(stripes).tolist() == [1.0]
    assert total_variation(torch.full((1, 3, 4, 4), 0.3)).tolist() == [0.0]


def test_range_loss_counts_only_what_would_be_clipped() -> None:
    assert range_loss(torch.rand(1, 3, 4, 4)).tolist() == [0.0]
    assert range_loss(torch.full((1, 3, 4, 4), 1.5)).tolist() == [0.25]


def test_a_backbone_looks_at_the_first_layer_of_every_block(folders: Folders) -> None:
    backbone = Backbone.load(Path(folders.backbones / "tiny.safetensors"))
    shapes = [tuple(feature.shape) for feature in backbone(torch.rand(2, 3, 32, 24))]
    assert shapes == [(2, 4, 32, 24), (2, 5, 16, 12), (2, 6, 8, 6), (2, 7, 4, 3)]
