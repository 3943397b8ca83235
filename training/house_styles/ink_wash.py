"""Sumi-e: grey washes that dried at their edges, dry brush over them, one red sun."""

import numpy as np

from training.house_styles.dabs import press
from training.house_styles.noise import Field, Rng, mist, smoothstep, soften, streaks
from training.house_styles.pigment import Picture, colour, finish
from training.house_styles.scene import Layout, Part, Scene, compose

PAPER, INK, RED = "f3ecdc", "14161b", "c4281c"
LAYOUT = Layout(sun=(0.84, 0.25, 0.09), tree=0.32, clouds=0, peaks=0.5, shore=0.72)
WASH = {  # ink at the rim of a part, and how fast it thins out into mist, in heights
    Part.PEAK: (1.25, 0.085),
    Part.HILL: (1.4, 0.06),
    Part.WATER: (0.16, 0.1),
    Part.MEADOW: (1.5, 0.11),
    Part.TRUNK: (1.5, 9.0),
    Part.CROWN: (0.6, 9.0),
}
BRUSH = {  # strokes: how likely, their length in heights, their ink
    Part.SKY: (0.05, 0.07, 0.12),
    Part.PEAK: (0.22, 0.05, 0.4),
    Part.HILL: (0.22, 0.05, 0.6),
    Part.WATER: (0.2, 0.075, 0.6),
    Part.MEADOW: (0.55, 0.045, 1.3),
    Part.TRUNK: (0.8, 0.035, 0.9),
    Part.CROWN: (1.0, 0.024, 1.3),
}


def draw(side: int, seed: int) -> Picture:
    """The picture, `side` pixels high; painted at twice the size."""
    rng = np.random.default_rng((seed, 5))
    scene = compose(2 * side, seed, LAYOUT)
    ink = _sky(scene, rng)
    for part in WASH:
        ink += _wash(scene, part, rng)
    _brush(ink, scene, 8000, rng)
    _splash(ink, scene, 130, rng)
    fibre = streaks(rng, 0.5 * mist(rng, scene.shape, 0.3, 1), 10)
    ink = ink * (1 + 0.09 * fibre + 0.2 * mist(rng, scene.shape, 0.009, 2)) + 0.012 * fibre
    light = np.exp(-1.9 * np.clip(ink, 0, 3))[..., None]
    painted = colour(INK) + (colour(PAPER) - colour(INK)) * light
    sun = soften((scene.part == Part.SUN).astype(np.float64), side / 100) * (0.9 + 0.07 * fibre)
    return finish(painted * (1 - sun[..., None] * (1 - colour(RED) / colour(PAPER))), side)


def _pool(field: Field, level: float) -> Field:
    """A puddle where the field is above the level: darkest just inside, where it dried last."""
    above = field - level
    inside = np.clip(above, 0, None)
    drying = 0.3 + 0.45 * np.exp(-inside / 0.25) + 0.5 * np.exp(-inside / 0.03)
    return smoothstep(0.0, 0.012, above) * drying


def _sky(scene: Scene, rng: Rng) -> Field:
    """Wet clouds run into each other, heavier away from the sun."""
    drift = 0.8 * mist(rng, scene.shape, 0.35, 5) + 1.7 * (0.5 - scene.tone)
    ink = 0.16 * (_pool(drift, 0.0) + _pool(drift, 0.5)) + 0.1 * _pool(drift, 0.9)
    ink += 0.3 * smoothstep(0.1, 0.7, drift + 0.2 * mist(rng, scene.shape, 0.1, 3))
    sky: Field = (scene.part == Part.SKY).astype(np.float64)
    return ink * soften(sky, scene.shape[0] / 150)


def _wash(scene: Scene, part: Part, rng: Rng) -> Field:
    """One load of ink for one part: a wet rim, then thinner and thinner into mist."""
    height = scene.shape[0]
    strength, thinning = WASH[part]
    mask = (scene.part == part).astype(np.float64)
    inside = soften(mask, height / 120) + 0.22 * mist(rng, scene.shape, 0.025, 3)
    pool = _pool(inside, 0.5)
    drift = scene.course / height / thinning + 0.35 * mist(rng, scene.shape, 0.12, 3)
    fade = _ranges(np.maximum(drift, 0.0))
    if part in (Part.TRUNK, Part.CROWN):
        fade = 1.4 - 1.2 * soften(scene.tone, height / 80)
    blooms = 0.75 + 0.5 * _pool(mist(rng, scene.shape, 0.09, 4), 0.15)
    return strength * pool * fade * blooms


def _ranges(drift: Field) -> Field:
    """Ridge behind ridge: at every whole number a wet edge that thins out towards the next."""
    return np.exp(-2.0 * (drift % 1)) * smoothstep(0.0, 0.03, drift % 1)


def _brush(ink: Field, scene: Scene, count: int, rng: Rng) -> None:
    height, width = scene.shape
    rows, columns = rng.uniform(0, height, count), rng.uniform(0, width, count)
    turn = rng.normal(0, 0.1, count)
    for row, column, off in zip(rows, columns, turn, strict=True):
        at = (int(row), int(column))
        part = Part(scene.part[at])
        likely, length, load = BRUSH.get(part, (0.0, 0.01, 0.0))
        dark = float(np.clip(1.05 - scene.tone[at], 0.05, 1))
        if rng.random() < likely * dark:
            size = height * length * rng.uniform(0.5, 1.3)
            angle = scene.angle[at] + off
            if part == Part.MEADOW:  # grass stands up
                angle = 4 * off - 1.3
            _stroke(ink, (row, column), size, angle, load * dark, rng)


def _stroke(
    ink: Field, at: tuple[float, float], length: float, angle: float, load: float, rng: Rng
) -> None:
    """One pull of the brush: full where it was set down, streaky where it left."""
    window, along, across = press(ink, at, (length, length * rng.uniform(0.06, 0.19)), angle)
    along = along * rng.choice((-1.0, 1.0))
    across = across + rng.uniform(-1.2, 1.2) * along**2
    width = np.clip(1 - along**2, 0, 1) ** 0.5 * (1 - 0.35 * along)
    off = np.abs(across) / np.maximum(width, 1e-6)
    cover = smoothstep(1.0, 0.86, off) * (np.abs(along) < 1)
    rim = 0.8 + 0.8 * smoothstep(0.55, 0.95, off)
    hair = np.interp(across, np.linspace(-1.5, 1.5, 40), rng.normal(0, 1, 40))
    dry = smoothstep(-0.3, 0.3, hair + 1.0 - 2.0 * (along + 0.3))
    ink[window] += load * cover * rim * dry


def _splash(ink: Field, scene: Scene, count: int, rng: Rng) -> None:
    """Drops that the brush lost."""
    height, width = scene.shape
    for _ in range(count):
        at = (rng.uniform(0, height), rng.uniform(0, width))
        size = height * 0.001 * rng.pareto(2.0) + 1.5
        window, along, across = press(ink, at, (min(size, height / 150),) * 2, 0.0)
        ink[window] += 0.7 * smoothstep(1.0, 0.8, np.hypot(along, across))
