"""Many different crops of few photographs, so that a style is learned and not the photographs."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import DataError, as_float, list_pictures, read_picture

#: Photographs inside scikit-image that may be shown; the last ones are held out, and shown first.
INSIDE = (
    "rocket.jpg",
    "camera.png",
    "motorcycle_left.png",
    "gravel.png",
    "grass.png",
    "hubble_deep_field.jpg",
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
)
MOST = 200  # photographs of a folder; more would not fit into a small machine's memory
SIDE = 384  # short side at which photographs are kept, at most
ZOOM = (0.7, 1.4)  # of a crop's side, in the photograph


def read_photographs(folder: Path | None) -> list[Tensor]:
    """uint8 [3,H,W] each, of a folder or those inside scikit-image. Raises DataError."""
    paths = _inside() if folder is None else list_pictures(folder)
    return [_shrunk(read_picture(path)) for path in paths[:: -(-len(paths) // MOST)]]


def split(photos: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The photographs to fit on and those to hold out: a third, two to six."""
    held_out = min(6, max(2, len(photos) // 3))
    if len(photos) <= held_out:
        raise DataError(f"{len(photos)} photographs are too few: three are needed")
    return list(photos[:-held_out]), list(photos[-held_out:])


def middle(photo: Tensor, side: int) -> Tensor:
    """The largest square in the middle as [1,3,side,side] in 0..1."""
    _, height, width = photo.shape
    whole = min(height, width)
    top, left = (height - whole) // 2, (width - whole) // 2
    cut = as_float(photo[None, :, top : top + whole, left : left + whole])
    return _resized(cut, side)


class Views:
    """Crops of any place and size, mirrored or not, in other light: batches by step number."""

    def __init__(self, photos: Sequence[Tensor], seed: int, jitter: bool) -> None:
        self.photos, self.seed, self.jitter = list(photos), seed, jitter

    def at(self, step: int, crop: int, batch: int) -> Tensor:
        """[batch,3,crop,crop] in 0..1."""
        rng = np.random.default_rng((self.seed, step))
        picked = [self.photos[i] for i in rng.integers(len(self.photos), size=batch)]
        return torch.cat([self._view(photo, crop, rng) for photo in picked])

    def _view(self, photo: Tensor, crop: int, rng: np.random.Generator) -> Tensor:
        _, height, width = photo.shape
        side = min(height, width, round(crop * rng.uniform(*ZOOM)))
        top = int(rng.integers(height - side + 1))
        left = int(rng.integers(width - side + 1))
        view = _resized(as_float(photo[None, :, top : top + side, left : left + side]), crop)
        if rng.random() < 0.5:
            view = view.flip(3)
        return _in_other_light(view, rng) if self.jitter else view


def _in_other_light(view: Tensor, rng: np.random.Generator) -> Tensor:
    if rng.random() < 0.5:
        view = view[:, rng.permutation(3).tolist()]
    return view.pow(float(rng.uniform(0.6, 1.6)))


def _resized(pictures: Tensor, side: int) -> Tensor:
    return F.interpolate(
        pictures, (side, side), mode="bilinear", align_corners=False, antialias=True
    )


def _shrunk(photo: Tensor) -> Tensor:
    scale = SIDE / min(photo.shape[1:])
    if scale >= 1:
        return photo
    size = [round(side * scale) for side in photo.shape[1:]]
    small = F.interpolate(photo[None].float(), size, mode="area")
    return small[0].round().byte()


def _inside() -> list[Path]:
    found = find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise DataError(
            "name a folder of photographs with --photos, or install those that may be shown: "
            "pip install 'impasto[demo]'"
        )
    folder = Path(found.submodule_search_locations[0]) / "data"
    return [folder / name for name in INSIDE]
