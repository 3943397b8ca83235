"""The landscape under every house style: what lies where, how light it is, how strokes run."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.house_styles.noise import Field, Rng, mist, smoothstep

ASPECT = 1.25

Circles: TypeAlias = list[tuple[float, float, float]]  # x, y, radius; the height is 1


class Part(IntEnum):
    """What a pixel belongs to, from the back to the front."""

    SKY = 0
    SUN = 1
    CLOUD = 2
    PEAK = 3
    HILL = 4
    WATER = 5
    MEADOW = 6
    TRUNK = 7
    CROWN = 8


@dataclass(frozen=True)
class Layout:
    """Where things stand, in heights of the picture; x goes from 0 to 1.25."""

    sun: tuple[float, float, float] = (0.83, 0.26, 0.125)
    peaks: float = 0.46
    hills: float = 0.60
    shore: float = 0.69
    meadow: float = 0.84
    tree: float = 0.31
    clouds: int = 3


@dataclass(frozen=True)
class Scene:
    """Fields [H,W]: tone 0..1, the part, and `course`, a height in pixels.

    Strokes, furrows and rows of stones run along the contour lines of `course`; its slope is about
    one, so that equal steps of it are rows of equal width. `angle` is their direction in radians.
    """

    tone: Field
    part: NDArray[np.int64]
    course: Field
    angle: Field

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.tone.shape
        return height, width


def contour(part: NDArray[Any], width: Field) -> Field:
    """A line along every border of `part` [H,W]: 1 within `width` pixels of it, else 0."""
    line = np.zeros(part.shape)
    reach = int(width.max()) + 1
    padded = np.pad(part, reach, mode="edge")
    height, across = part.shape
    for turn in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        for far in (0.35, 0.7, 1.0):
            down, right = round(far * reach * np.sin(turn)), round(far * reach * np.cos(turn))
            moved = padded[reach + down :, reach + right :][:height, :across]
            line[(moved != part) & (width >= np.hypot(down, right))] = 1.0
    return line


class _Canvas:
    """Layers laid over each other, the later ones in front."""

    def __init__(self, side: int, rng: Rng) -> None:
        shape = (side, round(side * ASPECT))
        self.side, self.rng = side, rng
        self.y, self.x = (axis / side for axis in np.indices(shape, dtype=np.float64))
        self.tone, self.course = np.zeros(shape), np.zeros(shape)
        self.part = np.zeros(shape, dtype=np.int64)

    def mist(self, cell: float, octaves: int = 3) -> Field:
        height, width = self.part.shape
        return mist(self.rng, (height, width), cell, octaves)

    def lay(self, part: Part, mask: NDArray[np.bool_], tone: Field, course: Field) -> None:
        self.part[mask] = part
        self.tone[mask] = tone[mask]
        self.course[mask] = course[mask]

    def ridge(self, base: float, sway: float, waves: tuple[int, ...], jag: float = 0.0) -> Field:
        """A line of hills: its height for every x, [1,W]."""
        x = self.x[:1]
        line = np.full_like(x, base)
        for wave in waves:
            phase = self.rng.uniform(0, 2 * np.pi)
            swing = np.sin(np.pi * wave * x + phase)
            line += sway / wave**0.8 * (np.abs(swing) * 2 - 1 if jag else swing)
        return line


def compose(side: int, seed: int, layout: Layout) -> Scene:
    """The same landscape for the same seed at every size, up to rounding."""
    canvas = _Canvas(side, np.random.default_rng(seed))
    _sky(canvas, layout)
    _clouds(canvas, layout)
    _ranges(canvas, layout)
    _water(canvas, layout)
    _meadow(canvas, layout)
    _tree(canvas, layout)
    down, across = np.gradient(canvas.course)
    angle = np.arctan2(-across, down)
    return Scene(np.clip(canvas.tone, 0, 1), canvas.part, canvas.course * side, angle)


def _sky(canvas: _Canvas, layout: Layout) -> None:
    x, y, radius = layout.sun
    away = np.hypot(canvas.x - x, canvas.y - y)
    warp = 0.03 * canvas.mist(0.4, 2) * smoothstep(radius, radius + 0.25, away)
    bands = 0.07 * np.sin(away * 26 + 3 * canvas.mist(0.7, 2))
    tone = 0.98 - 0.74 * smoothstep(0.4 * radius, 0.75, away + warp) ** 0.8 + bands
    everywhere = np.ones_like(away, dtype=bool)
    canvas.lay(Part.SKY, everywhere, tone, away + warp)
    canvas.lay(Part.SUN, away < radius, 1.0 - 0.75 * (away / radius) ** 1.5, away)


def _heap(
    canvas: _Canvas, circles: Circles, light: tuple[float, float]
) -> tuple[Field, Field, Field]:
    """Heaped balls: depth inside, light caught (-1..1), and a course in arcs across the light."""
    depth = np.full_like(canvas.x, -np.inf)
    shade, course = np.zeros_like(canvas.x), np.zeros_like(canvas.x)
    ragged = 0.012 * canvas.mist(0.06, 2)
    for x, y, radius in circles:
        right, down = canvas.x - x, canvas.y - y
        inside = radius - np.hypot(right, down) + ragged
        front = inside > depth
        depth[front] = inside[front]
        shade[front] = ((right * light[0] + down * light[1]) / radius)[front]
        arc = np.hypot(right + radius * light[0], down + radius * light[1])
        course[front] = arc[front]
    return depth, shade, course


def _clouds(canvas: _Canvas, layout: Layout) -> None:
    rng = canvas.rng
    for number in range(layout.clouds):
        x = (number + rng.uniform(0.1, 0.7)) * ASPECT / layout.clouds
        above = abs(x - layout.sun[0]) < 0.3  # the sun stays free
        y = rng.uniform(0.05, 0.09) if above else rng.uniform(0.12, 0.32)
        puffs = [
            (x + rng.normal(0, 0.09), y + rng.normal(0, 0.014), rng.uniform(0.03, 0.065))
            for _ in range(8)
        ]
        light = (0.6 * np.sign(layout.sun[0] - x), -0.8)
        depth, shade, course = _heap(canvas, puffs, light)
        canvas.lay(Part.CLOUD, depth > 0, 0.72 + 0.36 * shade, course)


def _below(canvas: _Canvas, line: Field) -> Field:
    """How far each point lies under a ridge line, measured across it."""
    slope = np.gradient(line[0]) * canvas.side
    under: Field = (canvas.y - line) / np.sqrt(1 + slope**2)
    return under


def _smooth(canvas: _Canvas, line: Field, reach: float) -> Field:
    """The line without its kinks, averaged over `reach` heights."""
    window = np.hanning(2 * int(reach * canvas.side) + 3)
    margin = len(window) // 2
    long = np.pad(line[0], margin, mode="reflect")
    smooth: Field = np.convolve(long, window / window.sum(), mode="valid")[None]
    return smooth


def _lit(canvas: _Canvas, line: Field, under: Field, sun: float) -> Field:
    """Light on the flanks of a range: every spur falls away aslant from its summit."""
    slope = np.gradient(line[0]) * canvas.side
    slant = canvas.x + 0.9 * under * np.sin(14 * canvas.x) + 0.03 * canvas.mist(0.1)
    flank: Field = np.interp(slant, canvas.x[0], slope)
    toward: Field = np.tanh((sun - canvas.x) * 5)
    return flank * toward


def _ranges(canvas: _Canvas, layout: Layout) -> None:
    line = canvas.ridge(layout.peaks, 0.07, (2, 3, 5, 9), jag=1.0)
    under = _below(canvas, line + 0.02 * canvas.mist(0.1))
    light = np.tanh(1.6 * _lit(canvas, line, under, layout.sun[0]))
    tone = 0.36 + 0.3 * light + 0.9 * under + 0.07 * canvas.mist(0.05)
    course = _below(canvas, _smooth(canvas, line, 0.07)) + 0.012 * canvas.mist(0.15, 2)
    canvas.lay(Part.PEAK, under > 0, tone, course)
    line = canvas.ridge(layout.hills, 0.04, (1, 3, 4))
    under = _below(canvas, line + 0.006 * canvas.mist(0.15, 2))
    light = _lit(canvas, line, under, layout.sun[0])
    tone = 0.3 + 0.4 * light + 0.9 * under + 0.14 * canvas.mist(0.12)
    canvas.lay(Part.HILL, under > 0, tone, under)


def _water(canvas: _Canvas, layout: Layout) -> None:
    x, _, radius = layout.sun
    under = canvas.y - layout.shore - 0.004 * canvas.mist(0.2, 2)
    near = np.clip(under, 0, 1)
    swell = 0.006 * canvas.mist(0.12, 2) + near * 0.05 * np.sin(canvas.x * 17 + near * 30)
    path = np.exp(-(((canvas.x - x) / (radius * 1.1 + near * 0.6)) ** 2))
    glitter = 0.28 * np.sin((under + swell) * 150 + 4 * canvas.mist(0.1, 2)) * (0.4 + path)
    tone = 0.42 + 0.42 * path + glitter - 0.6 * near
    canvas.lay(Part.WATER, under > 0, tone, under + swell)


def _meadow(canvas: _Canvas, layout: Layout) -> None:
    line = canvas.ridge(layout.meadow, 0.03, (1, 2)) + 0.14 * (canvas.x - 0.45)
    under = _below(canvas, line + 0.01 * canvas.mist(0.3, 2))
    furrow = np.sin(under * 40 + 3 * canvas.mist(0.5, 2))
    tone = 0.5 - 0.9 * under + 0.16 * furrow + 0.1 * canvas.mist(0.08)
    canvas.lay(Part.MEADOW, under > 0, tone, under)


def _limb(canvas: _Canvas, ends: tuple[float, float, float, float], width: float) -> None:
    """A bent branch from its foot (x, y) to its tip (x, y), tapering from `width`."""
    x0, y0, x1, y1 = ends
    along = (canvas.y - y0) / (y1 - y0)
    middle = x0 + (x1 - x0) * np.clip(along, 0, 1) ** 1.7 + 0.012 * np.sin(along * 5)
    flare = width * (1 - 0.6 * along + 0.9 * np.exp(-9 * np.clip(along, 0, None)))
    inside = (np.abs(canvas.x - middle) < flare) & (along > 0) & (along < 1)
    off = canvas.x - middle
    canvas.lay(Part.TRUNK, inside, 0.24 + 0.2 * off / np.maximum(flare, 1e-6), off)


def _tree(canvas: _Canvas, layout: Layout) -> None:
    foot, rng = layout.tree, canvas.rng
    for tip, top in ((-0.15, 0.44), (0.17, 0.42), (0.02, 0.35)):
        _limb(canvas, (foot, 0.93, foot + tip, top), 0.022)
    balls = [
        (foot + spread, 0.31 + 1.3 * spread**2 + rng.normal(0, 0.07), rng.uniform(0.05, 0.095))
        for spread in np.linspace(-0.25, 0.25, 18)
    ]
    balls.sort(key=lambda ball: ball[1])
    light = (0.75 * np.sign(layout.sun[0] - foot), -0.65)
    depth, shade, course = _heap(canvas, balls, light)
    tone = 0.38 + 0.46 * shade + 0.1 * canvas.mist(0.04)
    canvas.lay(Part.CROWN, depth > 0, tone, course)
