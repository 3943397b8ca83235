"""The house styles are drawn by code alone: the same picture every time, and six different ones."""

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="nothing to draw with")

import numpy as np
from PIL import Image

from training.house_styles import STYLES
from training.house_styles.noise import mist
from training.house_styles.pigment import Picture
from training.house_styles.scene import Layout, Part, compose

ROOT = Path(__file__).parents[2]
SIDE = 96
every_style = pytest.mark.parametrize("slug", list(STYLES))


@pytest.fixture(scope="module")
def drawn() -> dict[str, Picture]:
    return {slug: draw(SIDE, 1) for slug, draw in STYLES.items()}


def digest(picture: Picture) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


@every_style
def test_a_style_is_the_same_picture_every_time(slug: str, drawn: dict[str, Picture]) -> None:
    assert digest(STYLES[slug](SIDE, 1)) == digest(drawn[slug])


@every_style
def test_another_seed_is_another_picture(slug: str, drawn: dict[str, Picture]) -> None:
    assert digest(STYLES[slug](SIDE, 2)) != digest(drawn[slug])


def test_no_two_styles_are_alike(drawn: dict[str, Picture]) -> None:
    pictures = [picture.astype(float) for picture in drawn.values()]
    for number, one in enumerate(pictures):
        for other in pictures[:number]:
            assert np.abs(one - other).mean() > 25


@every_style
def test_a_style_is_as_large_as_asked(slug: str, drawn: dict[str, Picture]) -> None:
    assert drawn[slug].shape == (SIDE, SIDE * 5 // 4, 3)
    assert drawn[slug].dtype == np.uint8


@every_style
def test_a_style_has_lights_and_darks_everywhere(slug: str, drawn: dict[str, Picture]) -> None:
    tone = drawn[slug].mean(axis=2)
    assert np.percentile(tone, 5) < 80
    assert np.percentile(tone, 95) > 170
    quarters = [tone[: SIDE // 2], tone[SIDE // 2 :], tone[:, : SIDE // 2], tone[:, SIDE // 2 :]]
    assert min(float(quarter.std()) for quarter in quarters) > 20


def test_a_scene_shows_every_part_and_the_sun_is_above_the_meadow() -> None:
    scene = compose(SIDE, 1, Layout())
    assert set(np.unique(scene.part)) == set(Part)
    assert scene.tone.min() >= 0
    assert scene.tone.max() <= 1
    sun, meadow = (np.argwhere(scene.part == part)[:, 0] for part in (Part.SUN, Part.MEADOW))
    assert sun.max() < meadow.min()


def test_a_larger_scene_shows_the_same_landscape() -> None:
    small, large = compose(60, 1, Layout()), compose(120, 1, Layout())
    assert (large.part[::2, ::2] == small.part).mean() > 0.95


def test_noise_is_the_same_shape_at_every_size() -> None:
    small = mist(np.random.default_rng(1), (40, 50), 0.4, 1)
    large = mist(np.random.default_rng(1), (80, 100), 0.4, 1)
    assert np.abs(large[::2, ::2] - small).mean() < 0.05


def test_every_style_says_whose_it_is() -> None:
    sources = tomllib.loads((ROOT / "training/sources.toml").read_text(encoding="utf-8"))
    for slug in STYLES:
        card = sources["styles"][slug]
        assert (card["artist"], card["spdx"]) == ("Impasto", "LicenseRef-Impasto")
        assert (ROOT / card["origin"]).is_file()


def test_the_command_draws_the_one_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("tqdm", reason="the training extra is not installed")
    command = [sys.executable, "-m", "training.house_styles", "--out", str(tmp_path)]
    subprocess.run([*command, "--side", str(SIDE), "--only", "mosaic"], cwd=ROOT, check=True)
    (path,) = tmp_path.iterdir()
    assert path.name == "house_mosaic.png"
    with Image.open(path) as image:
        assert digest(np.asarray(image)) == digest(STYLES["mosaic"](SIDE, 1))
