"""torchvision's VGG-19 under our names sees what it saw under its own."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.training.conftest import backbone_weights
from training.backbones import DEVIATION, MEAN, converted, load_backbone
from training.data import DataError
from training.losses import Backbone

POOL = 0  # in place of a width
PLAN = [64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL, 512, 512, 512, 512]


def published() -> nn.Sequential:
    """The convolutional half of VGG-19 laid out as torchvision does, with random weights."""
    torch.manual_seed(4)
    layers: list[nn.Module] = []
    width = 3
    for step in PLAN:
        if step == POOL:
            layers.append(nn.MaxPool2d(2, 2))
            continue
        layers += [nn.Conv2d(width, step, 3, padding=1), nn.ReLU()]
        width = step
    return nn.Sequential(*layers)


def state_of(network: nn.Sequential) -> dict[str, Tensor]:
    return {f"features.{name}": tensor for name, tensor in network.state_dict().items()}


def test_the_converted_network_sees_the_same_but_for_the_border() -> None:
    network = published()
    picture = torch.rand(1, 3, 160, 160)
    mean, deviation = (torch.tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
    with torch.no_grad():
        found = Backbone(converted(state_of(network)))(picture)
        seen = (picture - mean) / deviation
        wanted = [network[:place](seen) for place in (2, 7, 12, 21)]  # relu1_1 to relu4_1
    inner = (..., slice(6, -6), slice(6, -6))  # beyond, one pads with zeros and one reflects
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(mine[inner], theirs[inner], atol=1e-5)
        assert not torch.allclose(mine, theirs, atol=1e-5)


def test_a_file_is_loaded_as_it_is(tmp_path: Path) -> None:
    save_file(backbone_weights(), tmp_path / "tiny.safetensors")
    backbone = load_backbone(tmp_path / "tiny.safetensors")
    assert [tuple(layer) for layer in backbone.layers] == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_a_file_that_is_no_backbone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fake.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(DataError, match=r"fake\.safetensors is not a backbone"):
        load_backbone(path)


def test_a_backbone_cut_off_too_early_is_refused(tmp_path: Path) -> None:
    weights = {k: v for k, v in backbone_weights().items() if not k.startswith("conv4")}
    save_file(weights, tmp_path / "short.safetensors")
    with pytest.raises(DataError, match="relu4_1"):
        load_backbone(tmp_path / "short.safetensors")
