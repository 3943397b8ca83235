"""Pictures to measure with: the same ones every time."""

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

SHOTS: Final = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png")


@lru_cache(maxsize=1)
def shots() -> list[Image.Image]:
    """Photographs that come inside scikit-image, RGB."""
    found = find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The benchmarks need the demo extra: pip install 'impasto[demo]'.")
    folder = Path(found.submodule_search_locations[0]) / "data"
    return [Image.open(folder / name).convert("RGB") for name in SHOTS]


def distinct(amount: int, size: tuple[int, int], seed: int = 0) -> Iterator[Image.Image]:
    """So many different pictures: parts of the photographs, flipped and tinted at random."""
    rng = np.random.default_rng(seed)
    for place in range(amount):
        shot = shots()[place % len(shots())]
        share = rng.uniform(0.5, 1.0)
        box = (round(shot.width * share), round(shot.height * share))
        left, top = rng.integers(shot.width - box[0] + 1), rng.integers(shot.height - box[1] + 1)
        part = shot.crop((int(left), int(top), int(left) + box[0], int(top) + box[1]))
        picture = ImageOps.fit(part, size, Image.Resampling.BICUBIC)
        number = (seed * 1_000_003 + place).to_bytes(9, "big")
        for corner in range(3):  # never equal, whatever the draw
            picture.putpixel((8 * corner, 0), tuple(number[3 * corner : 3 * corner + 3]))
        yield ImageOps.mirror(picture) if rng.random() < 0.5 else picture


def jpegs(amount: int, size: tuple[int, int], seed: int = 0, quality: int = 90) -> Iterator[bytes]:
    """The same as files."""
    for picture in distinct(amount, size, seed):
        yield as_file(picture, "JPEG", quality=quality)


def as_file(picture: Image.Image, format: str, **options: int) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def mixed(amount: int, sides: tuple[int, int], seed: int = 0) -> Iterator[tuple[bytes, str]]:
    """Files of every format and of sizes between `sides`, each with its media type."""
    rng = np.random.default_rng(seed)
    for place in range(amount):
        width, height = (int(side) for side in rng.integers(*sides, 2, endpoint=True))
        format = ("JPEG", "JPEG", "PNG", "WEBP")[place % 4]
        picture = next(distinct(1, (width, height), seed=seed + place))
        yield as_file(picture, format), f"image/{format.lower()}"
