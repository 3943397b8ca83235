"""A grid of photographs and styles on one page, because losses do not show a woven sky."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from training.checkpoint import load
from training.data import as_float, list_pictures, read_picture
from training.device import AUTO, HELP, open_device
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
    path: Path,
    photos: Sequence[Tensor],
    stylizer: Stylizer,
    table: StyleTable,
    side: int = 256,
    shown: int = 256,
    quality: int = 90,
) -> None:
    """One row per photograph (its middle, uint8 [3,H,W]): the content, then every style.

    Each is drawn at `side` pixels and shown at `shown`.
    """
    device = table.rest.device
    rows = []
    for photo in photos:
        _, height, width = photo.shape
        top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
        content = as_float(photo[None, :, top : top + side, left : left + side]).to(device)
        content = F.interpolate(content, (side, side), mode="bilinear", align_corners=False)
        drawn = [stylize(content, stylizer, row[None])[0] for row in table.styles]
        rows.append([content[0], *drawn])
    page = tile(rows)
    size = (len(rows[0]) * shown, len(rows) * shown)
    page.resize(size, Image.Resampling.LANCZOS).save(path, quality=quality)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.contact_sheet", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True, help="a .jpg or .png file")
    parser.add_argument("--side", type=int, default=384, help="pixels a picture is drawn at")
    parser.add_argument("--shown", type=int, default=384, help="pixels it takes on the page")
    parser.add_argument("--quality", type=int, default=90, help="of the JPEG")
    parser.add_argument("--limit", type=int, default=4, help="photographs at most")
    parser.add_argument("--device", default=AUTO, help=HELP)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    device = open_device(chosen.device)
    stylizer, table = (part.to(device) for part in load(chosen.checkpoint)[1:])
    paths = list_pictures(chosen.photos)[: chosen.limit]
    photos = [read_picture(path, chosen.side) for path in paths]
    save_sheet(chosen.out, photos, stylizer, table, chosen.side, chosen.shown, chosen.quality)


if __name__ == "__main__":
    main()
