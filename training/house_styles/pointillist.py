"""Dabs of pure colour side by side, each with a little of its opposite among them."""

import numpy as np

from training.house_styles.dabs import press
from training.house_styles.noise import Field, Rng, smoothstep
from training.house_styles.pigment import Picture, colour, colours, finish, tint
from training.house_styles.scene import Layout, Part, Scene, compose

GROUND = "e8d9b8"
PURE = colours(
    "1a2a7a 2f5fc4 59a4e0 a8d8ee 4a2a86 9a5ab8 d8a0d0 0f5a4a 2a9a5a 8ac84a"
    " f2e25a fdf3c0 f0a028 e8622a c8283a f4a890 6a2430 fffaf0"
)
RAMPS = {
    Part.SKY: "2a4aa8 3f74cc 6aa8e0 b0a8e0 f4b8a8 fcd878 fff0a0",
    Part.SUN: "ec6a28 f49a30 fcd050 fff0a0 fffad8",
    Part.CLOUD: "a090cc d8b8dc f8dcd0 fffaf0",
    Part.PEAK: "3a2a80 6a58b0 a880c0 e8b0b8",
    Part.HILL: "14504c 2a8a64 7ab858 e0d468",
    Part.WATER: "1c3088 2f6cc0 5cb0d4 b8e4dc fff4c8",
    Part.MEADOW: "123c30 24683a 78a83a b8c040 f0d850",
    Part.TRUNK: "3a1c4a 6a2c3c a85838",
    Part.CROWN: "5a1c38 b8342c e87a28 f8c848",
}
LAYOUT = Layout(sun=(0.36, 0.3, 0.1), tree=0.93, shore=0.66)
LAYERS = ((1.5, 1.0), (1.0, 1.3), (0.8, 0.9))  # size of a dab, how densely they lie


def draw(side: int, seed: int) -> Picture:
    """The picture, `side` pixels high."""
    rng = np.random.default_rng((seed, 6))
    big = 2 * side
    scene = compose(big, seed + 2, LAYOUT)  # other hills than in the other styles
    wanted = tint(scene, RAMPS)
    canvas = np.ones((*scene.shape, 3)) * colour(GROUND)
    for size, density in LAYERS:
        _layer(canvas, scene, wanted, big / 54 * size, density, rng)
    return finish(canvas, side)


def _layer(
    canvas: Field, scene: Scene, wanted: Field, size: float, density: float, rng: Rng
) -> None:
    height, width = scene.shape
    count = int(density * height * width / size**2)
    rows, columns = rng.uniform(0, height, count), rng.uniform(0, width, count)
    at = (rows.astype(int), columns.astype(int))
    paints = _choose(wanted[at], rng)
    angles = scene.angle[at] + rng.normal(0, 0.3, count)
    lengths = size * rng.uniform(0.62, 0.85, count)
    for number in range(count):
        length = float(lengths[number])
        _dab(canvas, (rows[number], columns[number]), length, angles[number], paints[number])


def _choose(wanted: Field, rng: Rng) -> Field:
    """A pure paint for each wanted colour [N,3]: mostly a near one, sometimes its opposite."""
    opposite = rng.random(len(wanted)) < 0.11
    mean = wanted.mean(axis=1, keepdims=True)
    aim = np.where(opposite[:, None], np.clip(2 * mean - wanted, 0, 1), wanted)
    apart = ((aim[:, None] - PURE[None]) ** 2).sum(axis=2)
    chance = -apart / 0.032 + rng.gumbel(size=apart.shape)
    paint = 0.8 * PURE[chance.argmax(axis=1)] + 0.2 * aim
    return np.asarray(paint * rng.normal(1, 0.035, (len(wanted), 1)))


def _dab(canvas: Field, at: tuple[float, float], length: float, angle: float, paint: Field) -> None:
    window, along, across = press(canvas, at, (length, length * 0.74), angle)
    out = np.sqrt(along**2 + across**2)
    cover = smoothstep(1.0, 0.9, out)[..., None]
    ridge = 1 - 0.1 * smoothstep(0.4, 0.95, out) * across  # paint stands up at the rim
    patch = canvas[window]
    patch += (paint * ridge[..., None] - patch) * cover
