"""Photographs to draw and pictures to learn from, read once: small ones fit into memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class DataError(ValueError):
    """A folder or a picture that cannot be trained on; the message says which and why."""


def read_picture(path: Path, short_side: int | None = None) -> Tensor:
    """One picture as uint8 [3,H,W] in sRGB, upright, its short side scaled to short_side."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} is not a picture that can be read: {error}") from error
    if short_side is not None:
        scale = short_side / min(upright.size)
        size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(upright)).permute(2, 0, 1).contiguous()


def list_pictures(folder: Path) -> list[Path]:
    """The picture files of a folder in a stable order; an empty or missing folder is an error."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return paths


def read_photos(folder: Path) -> list[Tensor]:
    """All photographs of a folder as uint8 [3,H,W]; a file that only looks like one is refused."""
    return [read_picture(path) for path in list_pictures(folder)]


def as_float(pictures: Tensor) -> Tensor:
    """uint8 0..255 to float 0..1."""
    return pictures.float() / 255.0


class Crops:
    """Random square crops by step number alone, so that a resumed run sees what it would have.

    With `zoom` above 1 a crop is cut from a window up to that many times smaller and enlarged: the
    photographs are small, and pictures that are drawn later show their things larger than these do.
    """

    def __init__(
        self, photos: Sequence[Tensor], crop: int, batch: int, seed: int, zoom: float = 1.0
    ) -> None:
        self.photos = [photo for photo in photos if min(photo.shape[1:]) >= crop]
        if not self.photos:
            raise DataError(f"no photograph has a short side of {crop} pixels or more")
        self.crop, self.batch, self.seed, self.zoom = crop, batch, seed, zoom

    def at(self, step: int) -> Tensor:
        """The batch [N,3,crop,crop] of a step, in 0..1."""
        rng = np.random.default_rng((self.seed, step))
        picked = rng.integers(len(self.photos), size=self.batch)
        return torch.cat([self._enlarged(self._cut(self.photos[i], rng)) for i in picked])

    def _cut(self, photo: Tensor, rng: np.random.Generator) -> Tensor:
        _, height, width = photo.shape
        side = round(self.crop / rng.uniform(1.0, self.zoom)) if self.zoom > 1.0 else self.crop
        top = int(rng.integers(height - side + 1))
        left = int(rng.integers(width - side + 1))
        cut = photo[:, top : top + side, left : left + side]
        return cut.flip(2) if rng.random() < 0.5 else cut

    def _enlarged(self, cut: Tensor) -> Tensor:
        picture = as_float(cut)[None]
        if cut.shape[1] == self.crop:
            return picture
        size = (self.crop, self.crop)
        return F.interpolate(picture, size, mode="bicubic", align_corners=False).clamp(0.0, 1.0)
