"""What teaches nothing is refused before minutes are spent on it: tiny, flat, or only noise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from training.data import DataError

SMALLEST = 256  # pixels of the short side; below, strokes are a few pixels wide
LARGEST = 200_000_000  # pixels
SIDE = 256  # short side at which a picture is looked at
BLOCK = 16  # pixels
RELIEF = 0.01  # standard deviation that a block needs around its own slope, of luminance 0..1
#: Of 18 paintings and 6 house styles every one has 0.95 or more; gradients and flat colour 0.15.
LEAST_RELIEF = 0.3
#: Of the same pictures every one has 0.5 or more; noise at any size has 0.1.
LEAST_FORM = 0.3


@dataclass(frozen=True)
class Texture:
    """How much a picture has to teach."""

    relief: float  #: share of blocks that are more than one even slope
    form: float  #: how alike neighbouring pixels are around that slope, -1..1


def open_style(path: Path) -> Image.Image:
    """The style picture upright in RGB; raises DataError for what is no picture, tiny or huge."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours is checked instead
    try:
        with Image.open(path) as image:
            _check_size(path, image.width, image.height)
            return ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{path} is not a picture that can be read: {error}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def check_worth(path: Path, picture: Image.Image) -> Texture:
    """Raises DataError for a picture without strokes to learn from, and says by how much."""
    texture = look(picture)
    if texture.relief < LEAST_RELIEF:
        raise DataError(
            f"{path} is flat: {texture.relief:.0%} of it has any texture, at least "
            f"{LEAST_RELIEF:.0%} is needed; flat colour and gradients teach no style"
        )
    if texture.form < LEAST_FORM:
        raise DataError(
            f"{path} is noise: neighbouring pixels correlate by {texture.form:.2f}, at least "
            f"{LEAST_FORM:.2f} is needed; paintings have 0.5 and more"
        )
    return texture


def look(picture: Image.Image) -> Texture:
    """Texture of an RGB picture."""
    rest = _around_slopes(_blocks(_luminance(picture)))
    energy = float(np.square(rest).mean())
    across = float((rest[:, :, 1:] * rest[:, :, :-1]).mean())
    down = float((rest[:, 1:] * rest[:, :-1]).mean())
    relief = float((rest.std((1, 2)) > RELIEF).mean())
    return Texture(relief, (across + down) / 2 / max(energy, 1e-12))


def _check_size(path: Path, width: int, height: int) -> None:
    if min(width, height) < SMALLEST:
        raise DataError(
            f"{path} has {width} x {height} pixels; a style needs a short side of {SMALLEST}"
        )
    if width * height > LARGEST:
        raise DataError(
            f"{path} has {width} x {height} pixels, {width * height:,}; at most {LARGEST:,}"
        )


def _luminance(picture: Image.Image) -> NDArray[np.float64]:
    scale = SIDE / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    linear: NDArray[np.float64] = np.asarray(small, np.float64) @ [0.2126, 0.7152, 0.0722] / 255
    return linear


def _blocks(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """[H,W] cut into [N,16,16]; what is left over at the right and the bottom is left out."""
    down, across = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    cut = plane[: down * BLOCK, : across * BLOCK].reshape(down, BLOCK, across, BLOCK)
    return cut.swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)


def _around_slopes(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each block less the plane that fits it best, so that a smooth gradient leaves nothing."""
    down, across = np.mgrid[:BLOCK, :BLOCK] - (BLOCK - 1) / 2
    rest: NDArray[np.float64] = blocks - blocks.mean((1, 2), keepdims=True)
    for slope in (down, across):
        share = (rest * slope).sum((1, 2), keepdims=True) / np.square(slope).sum()
        rest = rest - share * slope
    return rest
