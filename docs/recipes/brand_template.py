"""A brand's template, and photographs that come out of it: read brand_template.md beside this."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from PIL import Image
from rich.console import Console

from impasto.client import Campaign, Impasto, Job, Preset, ServiceError

OUT: Final = Path("var/recipes/brand_template")
TEMPLATE: Final = "spring-brand"
STYLE: Final = "great-wave"
SHAPES: Final[tuple[dict[str, Any], ...]] = (
    {"name": "square", "format": "webp", "width": 540, "height": 540, "fit": "cover"},
    {
        "name": "story",
        "format": "avif",
        "quality": 75,
        "width": 338,
        "height": 600,
        "fit": "cover",
        "gravity": "north",
    },
    {"name": "banner", "width": 1000, "height": 250, "fit": "pad", "colour": "#20304a"},
)
#: Photographs that scikit-image brings along and whose licences let anybody show them.
FREE: Final = ("astronaut.png", "chelsea.png", "coffee.png")
ROW, GAP = 150, 10  #: pixels of the sheet: as high as every picture on it, and between them

console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Make the template, send the pictures, fetch what came of them."""
    pictures = [Path(word) for word in sys.argv[1:]] or photographs()
    OUT.mkdir(parents=True, exist_ok=True)
    with Impasto(os.environ["IMPASTO_URL"], os.environ["IMPASTO_API_KEY"]) as impasto:
        brand = template(impasto)
        campaign = send(impasto, brand, pictures)
        made = {job.custom_id: fetched(job) for job in campaign.items(status="succeeded")}
    rows = [(picture, *made[picture.name].values()) for picture in pictures if picture.name in made]
    sheet(rows).save(OUT / "sheet.jpg", quality=88)
    cost = f"{campaign.cost.actual_micros / 1e6:.6f} {campaign.cost.currency}"
    files = sum(len(row) - 1 for row in rows)
    console.print(f"{len(rows)} of {len(pictures)} photographs, {files} files: {cost}")
    console.print(f"look at {OUT / 'sheet.jpg'}")


def template(impasto: Impasto) -> Preset:
    """What the brand's people made once; said again, it stays the version that it is."""
    brand = impasto.presets.create(
        name=TEMPLATE,
        description="Square for the feed, story for the phone, banner for the shop.",
        style=STYLE,
        strength=0.9,
        output={"format": "jpeg", "quality": 90, "size": 1024},
        renditions=SHAPES,
    )
    console.print(f"{brand.pinned} is {brand.status}")
    return brand


def send(impasto: Impasto, brand: Preset, pictures: list[Path]) -> Campaign:
    """All that a marketer has to say: which pictures, and the template's name."""
    return impasto.campaigns.create(
        name="Spring, everywhere",
        preset=brand.name,
        files=pictures,
    ).wait(timeout=600)


def fetched(job: Job) -> dict[str, Path]:
    """The picture and its renditions in the folder, by name."""
    name = Path(job.custom_id or str(job.id)).stem
    files = {"picture": job.save(OUT / f"{name}.jpg"), **job.save_renditions(OUT, name)}
    told = ", ".join(f"{one.name} {one.width}x{one.height}" for one in job.renditions)
    console.print(f"{name}: {told}")
    return files


def sheet(rows: list[tuple[Path, ...]]) -> Image.Image:
    """Each photograph with what became of it, all as high as each other."""
    lines = [[shown(path) for path in row] for row in rows]
    width = max((sum(one.width + GAP for one in line) for line in lines), default=0) + GAP
    page = Image.new("RGB", (width, len(lines) * (ROW + GAP) + GAP), "white")
    for number, line in enumerate(lines):
        left = GAP
        for one in line:
            page.paste(one, (left, GAP + number * (ROW + GAP)))
            left += one.width + GAP
    return page


def shown(path: Path) -> Image.Image:
    """A picture at the height of a row."""
    with Image.open(path) as picture:
        return picture.convert("RGB").resize((max(1, picture.width * ROW // picture.height), ROW))


def photographs() -> list[Path]:
    """Three free ones. Exits where scikit-image is not installed."""
    found = find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        sys.exit("Name some pictures, or install some: pip install 'scikit-image>=0.25'")
    return [Path(found.submodule_search_locations[0], "data", name) for name in FREE]


if __name__ == "__main__":
    try:
        main()
    except KeyError as missing:
        sys.exit(
            f"Set {missing.args[0]}: `impasto up` shows both, IMPASTO_URL and IMPASTO_API_KEY."
        )
    except (ServiceError, OSError) as error:
        sys.exit(f"brand_template: {error}")
