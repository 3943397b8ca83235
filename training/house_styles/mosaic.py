"""Glass stones in courses that follow every contour, set in dark mortar, a golden sun above."""

import numpy as np

from training.house_styles.cells import Owners, average, scatter, seams, tile
from training.house_styles.noise import Field, Rng, mist, smoothstep
from training.house_styles.pigment import Picture, blend, colour, colours, finish, over
from training.house_styles.scene import Layout, Part, Scene, compose

MORTAR = "2a2522"
RAMPS = {
    Part.SKY: "0c1c50 173f86 2c6f9e b98a3a e6b64c f6dc8c",
    Part.SUN: "7c1616 b52a1c dc5a26 f2a63a fff0c0",
    Part.CLOUD: "7f97b4 bccbd0 f2e8d4 fffaf0",
    Part.PEAK: "1b2a5c 33508c 6f86ac c9b7a4",
    Part.HILL: "0f3a34 1d6b54 5c9c62 d6c46c",
    Part.WATER: "081c4c 0f4a86 1c8a9c 84d2c4 fff0c4",
    Part.MEADOW: "3a0f16 7c1f24 b8482c e2a050",
    Part.TRUNK: "24100c 57261a 9a5a30",
    Part.CROWN: "0b2a20 17603a 5c9a3c e0cc5a",
}


def draw(side: int, seed: int) -> Picture:
    """The picture, `side` pixels high; drawn at twice the size for clean edges."""
    rng = np.random.default_rng((seed, 1))
    scene = compose(2 * side, seed, Layout())
    stone = 2 * side / 36
    owner = _stones(scene, stone, rng)
    return finish(_mortared(_glazed(scene, owner, stone, rng), owner, stone, rng), side)


def _stones(scene: Scene, stone: float, rng: Rng) -> Owners:
    """Row upon row along the course, each stone set beside the last from left to right."""
    row = np.floor(scene.course / stone).astype(np.int64)
    room = row * len(Part) + scene.part
    candidates = np.argwhere(np.abs(scene.course / stone - row - 0.5) < 0.12)
    from_left = np.lexsort((candidates[:, 0], candidates[:, 1]))
    gap = stone * rng.uniform(0.9, 1.15, scene.shape)
    gap[(scene.part == Part.SUN) & (row == 0)] = 3 * stone  # the heart of the sun is one stone
    return tile(scatter(candidates[from_left], gap, room), room, stone)


def _glazed(scene: Scene, owner: Owners, stone: float, rng: Rng) -> Field:
    """Every stone in one colour of its own, lit by its own small tilt; a few of them glint."""
    tone = average(owner, scene.tone)
    count = len(tone)
    part = average(owner, scene.part).round()
    tone = np.clip(tone + rng.normal(0, 0.09, count), 0, 1)
    glass = np.zeros((count, 3))
    for kind, codes in RAMPS.items():
        glass[part == kind] = blend(colours(codes), tone[part == kind])
    glass *= rng.normal(1, 0.05, (count, 1)) + rng.normal(0, 0.025, (count, 3))
    rows, columns = np.indices(scene.shape)
    tilt = rng.uniform(0, 2 * np.pi, count)
    down = (rows - average(owner, rows)[owner]) * np.sin(tilt)[owner]
    across = (columns - average(owner, columns)[owner]) * np.cos(tilt)[owner]
    sheen = (down + across) / stone
    light = 1 + 0.22 * sheen + 0.05 * mist(rng, scene.shape, 0.01, 1)
    glint = (rng.random(count) < 0.07)[owner] * smoothstep(0.2, 0.6, sheen)
    return over(glass[owner] * light[..., None], (1.0, 0.98, 0.9), 0.75 * glint)


def _mortared(painted: Field, owner: Owners, stone: float, rng: Rng) -> Field:
    joint = smoothstep(0.15, 0.6, seams(owner, stone * 0.1))
    mortar = colour(MORTAR) * (1 + 0.35 * mist(rng, joint.shape, 0.008, 2))[..., None]
    return over(painted, mortar, joint)
