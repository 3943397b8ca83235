"""Four inks of a pop print in rotated screens of dots, and a bold key line."""

import numpy as np

from training.house_styles.noise import Field, mist, smoothstep
from training.house_styles.pigment import Picture, colour, finish, over, tint
from training.house_styles.scene import Layout, Part, Scene, compose, contour

PAPER = "fbf4e4"
LAYOUT = Layout(sun=(0.46, 0.3, 0.17), tree=0.95, clouds=3)
INKS = {"00a0d8": 15.0, "f0247c": 75.0, "ffd800": 0.0, "1c1a2a": 45.0}  # ink: angle in degrees
PITCH = 40  # dots in the height of the picture
RAMPS = {
    Part.SKY: "0838c0 1888f0 68d0f8 fff0a0 ffe030",
    Part.SUN: "f01020 f83010 ff6018 ffa020 ffc828",
    Part.CLOUD: "f070b0 ffa8cc ffd4e0 fff4f0",
    Part.PEAK: "3a0a6a 8a20b0 f0408a ffb0c0",
    Part.HILL: "007868 00b880 80e040 f8f060",
    Part.WATER: "0a2080 0070d0 20c0e8 ffffff",
    Part.MEADOW: "500030 b01040 f03020 ff7820 ffb020 ffe040",
    Part.TRUNK: "180820 401040 902060",
    Part.CROWN: "401058 d01060 ff4848 ffd040",
}


def draw(side: int, seed: int) -> Picture:
    """The picture, `side` pixels high; printed at twice the size."""
    rng = np.random.default_rng((seed, 3))
    scene = compose(2 * side, seed, LAYOUT)
    wanted = tint(scene, RAMPS)
    printed = np.ones((*scene.shape, 3)) * colour(PAPER)
    amounts = _separate(wanted)
    for (ink, degrees), amount in zip(INKS.items(), amounts, strict=True):
        dots = _screen(scene, amount, np.deg2rad(degrees))
        printed = printed * (1 - dots[..., None] * (1 - colour(ink)))
    key = contour(scene.part, side / 170 * (1 + 0.35 * mist(rng, scene.shape, 0.2, 2)))
    printed = over(printed, colour("1c1a2a"), np.roll(key, (side // 240, side // 180), (0, 1)))
    return finish(printed, side)


def _separate(wanted: Field) -> list[Field]:
    """How much cyan, magenta, yellow and black a colour [H,W,3] asks for."""
    missing = 1 - wanted
    grey = missing.min(axis=-1)
    black = np.clip(1.5 * grey - 0.35, 0, 1)
    return [*np.moveaxis(np.clip(missing - 0.8 * grey[..., None], 0, 1), -1, 0), black]


def _screen(scene: Scene, amount: Field, angle: float) -> Field:
    """Round dots that grow with the amount until they meet, 0..1."""
    height = scene.shape[0]
    pitch = height / PITCH
    rows, columns = np.indices(scene.shape)
    along = (columns * np.cos(angle) + rows * np.sin(angle)) / pitch
    across = (rows * np.cos(angle) - columns * np.sin(angle)) / pitch
    off = np.hypot(along % 1 - 0.5, across % 1 - 0.5)
    radius = 0.55 * np.sqrt(amount) + 0.18 * amount**4
    radius = np.where(amount < 0.05, -1.0, radius)
    edge = 0.9 / pitch
    return smoothstep(edge, -edge, off - radius)
