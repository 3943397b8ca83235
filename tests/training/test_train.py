"""Training can stop and go on as if nothing had happened, and says what is wrong with its data."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from training.catalog import read_stylizer
from training.checkpoint import read
from training.config import Config
from training.data import Crops, DataError, list_pictures, read_photos, read_picture
from training.export import export
from training.model import StylizerShape
from training.train import Folders, Trainer, rate_share, train

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    whole = Trainer(config, folders, "cpu", bf16=False)
    train(whole, tmp_path / "whole", every=10)

    first = Trainer(config, folders, "cpu", bf16=False)
    train(first, tmp_path / "parts", every=10, until=4)
    second = Trainer(config, folders, "cpu", bf16=False)
    second.restore(read(tmp_path / "parts" / "checkpoint.pt"))
    assert second.step == 4
    train(second, tmp_path / "parts", every=10)

    assert second.step == whole.step == 6
    for mine, theirs in ((second.stylizer, whole.stylizer), (second.table, whole.table)):
        for name, tensor in mine.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name


def test_training_goes_on_from_a_shipped_stylizer(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    first = Trainer(config, folders, "cpu", bf16=False)
    train(first, tmp_path, every=10)
    shipped = export(tmp_path / "checkpoint.pt", folders.styles, tmp_path / "catalog")

    more = replace(config, styles={**config.styles, "udnie": "one.png"})
    second = Trainer(more, folders, "cpu", bf16=False)
    second.begin_from(shipped)

    for name, tensor in first.stylizer.state_dict().items():
        assert torch.equal(tensor, second.stylizer.state_dict()[name]), name
    assert torch.equal(second.table.identity, first.table.identity)
    assert torch.equal(second.table.rows[:2], first.table.rows)
    assert torch.allclose(second.table.rows[2], first.table.rows.mean(0))


def test_a_stylizer_of_another_shape_is_refused(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    train(Trainer(config, folders, "cpu", bf16=False), tmp_path, every=10)
    shipped = export(tmp_path / "checkpoint.pt", folders.styles, tmp_path / "catalog")
    with pytest.raises(DataError, match="another shape"):
        read_stylizer(shipped, StylizerShape())


def test_training_leaves_losses_and_a_sheet(
    config: Config, folders: Folders, tmp_path: Path
) -> None:
    train(Trainer(config, folders, "cpu", bf16=False), tmp_path / "run", every=10)
    text = (tmp_path / "run" / "losses.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1]["step"] == 6
    assert {"loss", "content", "style", "seconds"} <= lines[-1].keys()
    assert (tmp_path / "run" / "sheet.jpg").stat().st_size > 0


def test_the_rate_rises_and_falls(config: Config) -> None:
    stage = config.stages[0]
    shares = [rate_share(stage, step) for step in range(stage.steps)]
    assert shares[0] == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] > 0


def test_a_config_survives_the_way_through_a_checkpoint(config: Config) -> None:
    assert Config.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_config_reads(path: Path) -> None:
    config = Config.load(path)
    assert path.stem == f"{config.name}-{config.version}"
    assert config.stage_at(config.steps - 1)[0] is config.stages[-1]
    with pytest.raises(IndexError):
        config.stage_at(config.steps)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no pictures"):
        list_pictures(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        list_pictures(tmp_path / "nowhere")


def test_a_file_that_only_looks_like_a_picture_is_named(folders: Folders) -> None:
    (folders.photos / "fake.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"fake\.jpg is not a picture"):
        read_photos(folders.photos)


def test_a_picture_cut_short_is_named(folders: Folders) -> None:
    whole = (folders.photos / "0.png").read_bytes()
    (folders.photos / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"0\.png is not a picture"):
        read_picture(folders.photos / "0.png")


def test_photographs_smaller_than_the_crop_are_an_error(folders: Folders) -> None:
    with pytest.raises(DataError, match=r"short side of 64"):
        Crops(read_photos(folders.photos), crop=64, batch=1, seed=0)


def test_too_few_photographs_are_an_error(config: Config, folders: Folders) -> None:
    for path in sorted(folders.photos.iterdir())[:3]:
        path.unlink()
    with pytest.raises(DataError, match=r"more than 4 photographs"):
        Trainer(config, folders, "cpu", bf16=False)


def test_crops_of_smaller_windows_have_the_same_size_and_are_repeatable() -> None:
    torch.manual_seed(4)
    photos = [(torch.rand(3, 60, 80) * 255).byte()]
    plain, zoomed = (Crops(photos, 32, 4, seed=1, zoom=zoom) for zoom in (1.0, 1.5))
    assert zoomed.at(3).shape == plain.at(3).shape == (4, 3, 32, 32)
    assert torch.equal(zoomed.at(3), zoomed.at(3))
    assert not torch.equal(zoomed.at(3), plain.at(3))
    assert zoomed.at(3).min() >= 0.0
    assert zoomed.at(3).max() <= 1.0


def test_a_held_rate_is_held_and_the_others_end_at_their_floor(config: Config) -> None:
    stage = replace(config.stages[0], steps=100, warmup=10)
    held = replace(stage, floor=1.0)
    assert [rate_share(held, step) for step in (9, 50, 99)] == [1.0, 1.0, 1.0]
    assert rate_share(held, 0) == pytest.approx(0.1)
    assert rate_share(stage, 99) == pytest.approx(0.01, abs=0.001)
