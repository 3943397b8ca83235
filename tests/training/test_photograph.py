"""The line between paintings and photographs errs on the side of silence."""

import json

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from tests.training.conftest import backbone_weights
from training.losses import Backbone
from training.photograph import LINE, fit, looks_like_a_photograph


def test_what_the_shipped_line_was_fitted_on_stands_beside_it() -> None:
    line = json.loads(LINE.read_text("utf-8"))
    assert len(line["weights"]) == 512
    assert line["threshold"] < 0
    assert line["photographs_told"] > 0.5
    assert line["paintings"] >= 18


def test_a_judge_that_the_line_does_not_know_is_not_asked() -> None:
    picture = torch.zeros(3, 300, 300, dtype=torch.uint8)
    assert looks_like_a_photograph(picture, Backbone(backbone_weights()), "another") is None


def test_no_painting_that_was_left_out_is_called_a_photograph() -> None:
    torch.manual_seed(1)
    apart = torch.zeros(40)
    apart[:5] = 1.5
    paintings, photographs = torch.randn(12, 40) + apart, torch.randn(60, 40) - apart
    line = fit(paintings, photographs)
    assert line["photographs_told"] > 0.5
    values = paintings @ torch.tensor(line["weights"]) + line["offset"]
    assert bool((values > line["threshold"]).all())
    fresh = torch.randn(200, 40) - apart
    told = (fresh @ torch.tensor(line["weights"]) + line["offset"]) < line["threshold"]
    assert told.double().mean() > 0.5
