"""A window: panes of glowing, streaky glass between strips of lead."""

import numpy as np

from training.house_styles.cells import Owners, average, scatter, seams, tile
from training.house_styles.noise import Field, Rng, mist, smoothstep, soften, streaks, stretch
from training.house_styles.pigment import Picture, colour, finish, over, tint
from training.house_styles.scene import Layout, Part, Scene, compose

LEAD = "14141a"
LAYOUT = Layout(sun=(0.42, 0.29, 0.15), tree=0.96, clouds=3)
RAMPS = {
    Part.SKY: "10188a 1c48d0 2a8ce8 6cd0f0 ffe9a8",
    Part.SUN: "d82008 f85a08 ff9a10 ffd040 fff0a0",
    Part.CLOUD: "b090d8 e0c0e8 fbe6e6 ffffff",
    Part.PEAK: "3a0a70 7a1ca0 c03aa0 f598b0",
    Part.HILL: "003a3a 008060 30b860 c0e860",
    Part.WATER: "04205c 0068b0 10b0c0 90f0e0 ffffff",
    Part.MEADOW: "780c18 c81c1c f06018 ffb838",
    Part.TRUNK: "3a1408 7a300c b05a18",
    Part.CROWN: "034a20 109038 70c828 e8e838",
}


def draw(side: int, seed: int) -> Picture:
    """The picture, `side` pixels high; drawn at twice the size."""
    rng = np.random.default_rng((seed, 4))
    scene = compose(2 * side, seed, LAYOUT)
    owner = _panes(scene, rng)
    return finish(_leaded(_glass(scene, owner, rng), scene, owner), side)


def _panes(scene: Scene, rng: Rng) -> Owners:
    """Panes within every part; in the sky they lie in rings about the sun, in water in bands."""
    size = scene.shape[0] / 16
    course = scene.course - LAYOUT.sun[2] * scene.shape[0] * (scene.part == Part.SKY)
    ringed = np.isin(scene.part, (Part.SKY, Part.WATER))
    room = (ringed * (course // (1.35 * size))).astype(np.int64) * len(Part) + scene.part
    candidates = np.stack([rng.integers(0, length, 60_000) for length in scene.shape], axis=1)
    gap = size * np.where(ringed, 1.25, 0.85)
    return tile(scatter(candidates, gap, room), room, size)


def _glass(scene: Scene, owner: Owners, rng: Rng) -> Field:
    """Each pane at a tone of its own, streaked along a direction of its own."""
    tone = average(owner, scene.tone)
    tone = np.clip(tone + rng.normal(0, 0.13, len(tone)), 0, 1)[owner]
    flow = rng.uniform(0, np.pi, owner.max() + 1)[owner]
    swirl = stretch(streaks(rng, flow[::2, ::2], scene.shape[0] // 48), scene.shape)
    uneven = 0.05 * swirl + 0.12 * mist(rng, scene.shape, 0.06, 2)
    return tint(scene, RAMPS, np.clip(tone + uneven, 0, 1))


def _leaded(glass: Field, scene: Scene, owner: Owners) -> Field:
    """The light falls off towards the lead; along its back the lead catches a little of it."""
    width = scene.shape[0] / 130
    near = seams(owner, width)
    shade = 1 - 0.55 * soften((near > 0).astype(np.float64), width * 2.5)
    glow = 1.12 - 0.3 * soften(1 - scene.tone, scene.shape[0] / 6)
    lead = colour(LEAD) + 0.18 * smoothstep(0.75, 1.0, near)[..., None]
    lit = np.clip(glass * (shade * glow)[..., None], 0, 1)
    return over(lit, lead, smoothstep(0.05, 0.25, near))
