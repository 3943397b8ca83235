"""
`python -m benchmarks.formats`: what each format takes, weighs and loses; and AVIF at each speed.

Five photographs of a megapixel and the contact sheet, encoded one after the other on one thread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import log10
from pathlib import Path
from time import process_time
from typing import Any, Final

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks import machine, pictures
from workers.codec.tags import avif

SHEET: Final = Path("docs/contact-sheet.jpg")  #: what our painters make of photographs
SPEEDS: Final = (5, 6, 7, 8, 9, 10)
AMOUNT, SIDE = 5, 1_000


@dataclass
class Measured:
    """Sums over pictures."""

    seconds: float = 0.0
    bytes: int = 0
    pixels: int = 0
    loss: float = 0.0  #: decibels, summed

    def take(self, picture: Image.Image, format: str, options: Mapping[str, Any]) -> None:
        file, start = BytesIO(), process_time()
        picture.save(file, format, **options)
        self.seconds += process_time() - start
        self.bytes += len(file.getvalue())
        self.pixels += picture.width * picture.height
        self.loss += _psnr(picture, Image.open(file).convert("RGB"))


def _psnr(one: Image.Image, other: Image.Image) -> float:
    gap = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return 10 * log10(255**2 / max(1e-9, float((gap**2).mean())))


def _ways() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for quality, chroma in ((90, 0), (75, 2)):
        yield f"JPEG {quality}", "JPEG", {"quality": quality, "subsampling": chroma}
        yield f"WebP {quality}", "WEBP", {"quality": quality, "method": 2}
        for speed in SPEEDS:
            yield f"AVIF {quality}, speed {speed}", "AVIF", avif(quality) | {"speed": speed}


def main() -> None:
    """Print the table."""
    sheet = Image.open(SHEET).convert("RGB")
    shots = [*pictures.distinct(AMOUNT, (SIDE, SIDE)), sheet.resize((SIDE, SIDE))]
    table = Table("what", "CPU ms/MP", "bits/pixel", "PSNR")
    for name, format, options in _ways():
        measured = Measured()
        for shot in shots:
            measured.take(shot, format, options)
        megapixels = measured.pixels / 1e6
        table.add_row(
            name,
            f"{1000 * measured.seconds / megapixels:.0f}",
            f"{8 * measured.bytes / measured.pixels:.2f}",
            f"{measured.loss / len(shots):.1f} dB",
        )
    facts = machine.describe()
    Console().print(f"{facts['cores']} cores of {facts['cpu']}")
    Console().print(table)


if __name__ == "__main__":
    main()
