"""A relief print of two blocks: black lines carved along every form, vermilion under them."""

import numpy as np

from training.house_styles.noise import Field, Rng, mist, smoothstep, streaks, stretch
from training.house_styles.pigment import Picture, colour, finish, over
from training.house_styles.scene import Layout, Part, Scene, compose, contour

PAPER, BLACK, RED = "f2e6cc", "17130f", "d8401f"
LAYOUT = Layout(sun=(0.82, 0.27, 0.15), tree=0.30, clouds=2)
INK = {  # more or less black than the tone asks for
    Part.SUN: -2.0,
    Part.SKY: -0.08,
    Part.HILL: 0.12,
    Part.WATER: -0.3,
    Part.MEADOW: 0.16,
    Part.TRUNK: 0.12,
}
LINES = 52  # carved lines in the height of the picture


def draw(side: int, seed: int) -> Picture:
    """The picture, `side` pixels high; carved at twice the size."""
    rng = np.random.default_rng((seed, 2))
    scene = compose(2 * side, seed, LAYOUT)
    black = _key_block(scene, rng)
    grain = _grain(scene, rng)
    paper = colour(PAPER) * (1 + 0.02 * mist(rng, scene.shape, 0.01, 3))[..., None]
    shift = side // 120
    red = np.roll(_colour_block(scene), (shift, -shift), (0, 1))
    painted = over(paper, colour(RED), red * smoothstep(-1.1, -0.2, grain) * 0.95)
    painted = over(painted, colour(BLACK), black * smoothstep(-1.5, -0.8, grain))
    return finish(painted, side)


def _grain(scene: Scene, rng: Rng) -> Field:
    """The wood of the block: long level fibres, where the ink is thin."""
    level = 0.06 * np.sin(np.indices(scene.shape)[1] / scene.shape[0] * 9)
    return streaks(rng, level, scene.shape[0] // 30)


def _colour_block(scene: Scene) -> Field:
    part, tone = scene.part, scene.tone
    spacing = scene.shape[0] / LINES * 2
    rays = np.abs((scene.course / spacing) % 1 - 0.5) * 2
    sky = (part == Part.SKY) & (rays < 1.25 * (tone - 0.3))
    glow = (part == Part.WATER) & (tone > 0.62)
    return np.asarray((part == Part.SUN) | sky & (tone < 0.9) | glow, dtype=np.float64)


def _key_block(scene: Scene, rng: Rng) -> Field:
    """Where the black block still stands after carving, 0..1."""
    height = scene.shape[0]
    spacing = height / LINES
    wobble = 0.22 * mist(rng, scene.shape, 0.05, 2) + 0.1 * mist(rng, scene.shape, 0.012, 1)
    wave = np.abs((_course(scene) / spacing + wobble) % 1 - 0.5) * 2
    dark = 1.06 - 1.15 * scene.tone + 0.16 * mist(rng, scene.shape, 0.03, 2)
    for part, share in INK.items():
        dark = np.where(scene.part == part, dark + share, dark)
    softness = 1.6 / spacing
    lines = smoothstep(-softness, softness, dark - wave)
    chips = _chips(scene, spacing, rng)
    outline = contour(scene.part, np.full(scene.shape, height / 260))
    tree = np.isin(scene.part, (Part.TRUNK, Part.CROWN))
    moat = contour(tree, np.full(scene.shape, height / 110)) * ~tree
    return np.maximum(lines * (1 - chips) * (1 - moat), outline)


def _course(scene: Scene) -> Field:
    """The scene's course, but for the meadow, where blades of grass stand up."""
    columns = np.indices(scene.shape)[1]
    bend = 0.5 * np.clip(scene.course, 0, None) ** 1.15
    return np.where(scene.part == Part.MEADOW, 0.92 * columns + bend, scene.course)


def _chips(scene: Scene, spacing: float, rng: Rng) -> Field:
    """Short marks of the gouge in what was left standing."""
    hair = stretch(streaks(rng, scene.angle[::2, ::2], int(spacing * 0.8)), scene.shape)
    return smoothstep(2.0, 2.4, hair + 0.5 * scene.tone)
