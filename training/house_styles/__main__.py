"""Draw the house styles as PNG files."""

import argparse
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from training.house_styles import STYLES

SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.house_styles", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for house_<slug>.png")
    parser.add_argument("--side", type=int, default=720, help="height in pixels")
    parser.add_argument("--only", choices=sorted(STYLES), help="draw just this one")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for slug in tqdm([chosen.only] if chosen.only else list(STYLES), unit="picture"):
        picture = Image.fromarray(STYLES[slug](chosen.side, SEED))
        picture.save(chosen.out / f"house_{slug}.png", optimize=True)


if __name__ == "__main__":
    main()
