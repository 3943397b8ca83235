"""A grid of photographs and styles on one page, because losses do not show a woven sky."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from training.data import as_float
from training.model import StyleTable, Stylizer


def stylize(content: Tensor, stylizer: Stylizer, embedding: Tensor) -> Tensor:
    """content [N,3,H,W] in 0..1 of any size, embedding [N,K]; the picture [N,3,H,W] within 0..1."""
    height, width = content.shape[2:]
    padded = F.pad(content, (0, -width % 4, 0, -height % 4), mode="reflect")
    with torch.no_grad():
        drawn: Tensor = stylizer(padded, embedding)
    return drawn[:, :, :height, :width].clamp(0.0, 1.0)


def tile(pictures: Sequence[Sequence[Tensor]]) -> Image.Image:
    """Rows of equal pictures [3,H,W] in 0..1 on one page."""
    page = torch.cat([torch.cat(list(row), dim=2) for row in pictures], dim=1)
    array = (page * 255.0).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(array))


def save_sheet(
    path: Path, photos: Sequence[Tensor], stylizer: Stylizer, table: StyleTable, side: int = 256
) -> None:
    """One row per photograph (its middle): the content, then every style."""
    device = table.rest.device
    rows = []
    for photo in photos:
        _, height, width = photo.shape
        top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
        content = as_float(photo[None, :, top : top + side, left : left + side]).to(device)
        content = F.interpolate(content, (side, side), mode="bilinear", align_corners=False)
        drawn = [stylize(content, stylizer, row[None])[0] for row in table.styles]
        rows.append([content[0], *drawn])
    tile(rows).save(path, quality=90)
