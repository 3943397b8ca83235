"""A brand's template, and photographs that come out of it: read brand_template.md beside this."""

from pathlib import Path
from typing import Any, Final

from kit import bar, console, cook, money

from impasto.client import Campaign, Impasto, Job, Preset
from impasto.sheet import contact_sheet

TEMPLATE: Final = "spring-brand"
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


def everywhere(impasto: Impasto, pictures: list[Path], out: Path) -> None:
    """Make the template, send the pictures, fetch what came of them."""
    brand = template(impasto)
    campaign = send(impasto, brand, pictures)
    made = {job.custom_id: fetched(job, out) for job in campaign.items(status="succeeded")}
    rows = [
        [("photograph", picture), *made[picture.name].items()]
        for picture in pictures
        if picture.name in made
    ]
    contact_sheet(rows, out / "sheet.jpg", side=180)
    cost = money(campaign.cost.actual_micros, campaign.cost.currency)
    files = sum(len(row) - 1 for row in rows)
    console.print(f"{len(rows)} of {len(pictures)} photographs, {files} files: {cost}")
    console.print(f"look at {out / 'sheet.jpg'}")


def template(impasto: Impasto) -> Preset:
    """What the brand's people made once; said again, it stays the version that it is."""
    brand = impasto.presets.create(
        name=TEMPLATE,
        description="Square for the feed, story for the phone, banner for the shop.",
        style="great-wave",
        strength=0.9,
        output={"format": "jpeg", "quality": 90, "size": 1024},
        renditions=SHAPES,
    )
    console.print(f"{brand.pinned} is {brand.status}")
    return brand


def send(impasto: Impasto, brand: Preset, pictures: list[Path]) -> Campaign:
    """All that a marketer has to say: which pictures, and the template's name."""
    campaign = impasto.campaigns.create(
        name="Spring, everywhere",
        preset=brand.name,
        files=pictures,
    )
    with bar("drawing") as progress:
        return campaign.wait(progress, timeout=600)


def fetched(job: Job, out: Path) -> dict[str, Path]:
    """The picture and its renditions in the folder, by name."""
    name = Path(job.custom_id or str(job.id)).stem
    files = {"picture": job.save(out / f"{name}.jpg"), **job.save_renditions(out, name)}
    told = ", ".join(f"{one.name} {one.width}x{one.height}" for one in job.renditions)
    console.print(f"{name}: {told}")
    return files


if __name__ == "__main__":
    cook(everywhere, "brand_template")
