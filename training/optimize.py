"""A print: one picture, optimized by itself for minutes, painted by the pictures of its styles."""

import argparse
import io
import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.backbones import load_backbone
from training.cards import write_whole
from training.data import DataError, read_picture
from training.device import AUTO, HELP, open_device, repeat_exactly, room
from training.ending import in_words
from training.fit import Network
from training.lesson import open_network
from training.optimization import Commission, Print, Recipe, Seen, check_size
from training.progress import Progress

EVERY = 2.0  # seconds between looks that are told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.optimize", description=__doc__)
    add = parser.add_argument
    add("content", type=Path, help="the photograph, in the size of the print")
    add(
        "--style",
        type=_style,
        action="append",
        required=True,
        metavar="PICTURE[:SHARE]",
        help="what to paint by; several in shares",
    )
    add("--out", type=Path, required=True, help="a .png file")
    add("--strength", type=float, default=1.0, help="from the photograph (0) to the style (1)")
    add("--catalog", type=Path, default=Path("catalog"))
    add("--stylizer", help="a folder of catalog/stylizers that draws what to begin with")
    add("--embedding", type=Path, help="its style: little-endian float32")
    add("--backbone", type=Path, help="VGG-19 as safetensors; torchvision's otherwise")
    add("--pace", type=float, default=1.0, help="multiplies the steps")
    add("--memory", type=int, help="bytes it may take; most of what is free otherwise")
    add("--device", default=AUTO, help=HELP)
    add("--threads", type=int, default=2)
    add("--json", action="store_true", help="one object a line on stdout")
    return parser


def _style(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition(":")
    try:
        return (Path(path), float(share)) if path else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0  # a colon in a name


def _commission(chosen: argparse.Namespace, device: torch.device) -> Commission:
    """Raises DataError for what cannot be read, is too large, or is no embedding."""
    content = read_picture(chosen.content)
    _, height, width = content.shape
    check_size(height, width, chosen.memory or room(device))
    paths, shares = zip(*chosen.style, strict=True)
    if not all(0 < share < math.inf for share in shares) or not 0 <= chosen.strength <= 1:
        raise DataError("shares must be above 0, and the strength from 0 to 1")
    begin = _beginning(chosen, device)
    return Commission(content, list(map(read_picture, paths)), shares, chosen.strength, *begin)


def _beginning(
    chosen: argparse.Namespace, device: torch.device
) -> tuple[Network, Tensor] | tuple[()]:
    """The network that draws what to begin with, and the style it draws in."""
    if bool(chosen.stylizer) != bool(chosen.embedding):
        raise DataError("--stylizer and --embedding belong together")
    if not chosen.stylizer:
        return ()
    network = open_network(chosen.catalog, chosen.stylizer, device)
    try:
        embedding = torch.from_numpy(np.fromfile(chosen.embedding, "<f4").astype(np.float32))
    except OSError as error:
        raise DataError(f"{chosen.embedding} cannot be read: {error}") from error
    if embedding.shape != network.identity.shape:
        raise DataError(f"{chosen.embedding} is no embedding for {chosen.stylizer}")
    return network, embedding.to(device)


def _printed(chosen: argparse.Namespace, progress: Progress) -> None:
    device = open_device(chosen.device)
    repeat_exactly(device)
    commission = _commission(chosen, device)
    backbone = load_backbone(chosen.backbone).to(device)
    work = Print(commission, backbone, Recipe(), chosen.pace)
    start = told = time.monotonic()
    seen = Seen(1.0, 0, 0.0, 0.0)
    for seen in work.work():
        now = time.monotonic()
        if now - told >= EVERY:
            told = now
            progress.at(seen.share, content=seen.content, style=seen.style)
    write_whole(chosen.out, _png(work.finished()))
    seconds = time.monotonic() - start
    progress.say(
        "printed",
        f"{chosen.out}: {seen.steps} steps in {seconds:.0f} s, "
        f"content {seen.content:.3f}, style {seen.style:.3f}",
        path=str(chosen.out),
        seconds=round(seconds, 3),
        steps=seen.steps,
        content=round(seen.content, 4),
        style=round(seen.style, 4),
        device=str(device),
    )


def _png(picture: Tensor) -> bytes:
    file = io.BytesIO()
    array = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    Image.fromarray(array).save(file, "PNG", compress_level=3)
    return file.getvalue()


def main() -> None:
    chosen = _parser().parse_args()
    torch.set_num_threads(chosen.threads)
    with (
        in_words("nothing was written"),
        Progress("print", 1.0, as_json=chosen.json, unit="share") as progress,
    ):
        _printed(chosen, progress)


if __name__ == "__main__":
    main()
