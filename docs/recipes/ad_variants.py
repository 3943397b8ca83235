"""One photograph in many looks, to choose an advert from: read ad_variants.md beside this."""

from pathlib import Path
from typing import Any, Final

from kit import bar, console, cook, money
from rich.table import Table

from impasto.client import Impasto, Job, Upload
from impasto.sheet import Shown, contact_sheet

LOOKS: Final = {
    "ink": "ink-wash",
    "tahiti": "tahiti",
    "hat": "woman-with-hat",
    "mixed": "tahiti:0.5,ink-wash:0.5",  # half and half, drawn as one
}
STRENGTHS: Final = (0.3, 0.6, 1.0)


def adverts(impasto: Impasto, pictures: list[Path], out: Path) -> None:
    """Every look at every strength, of one upload; a grid to look at, and what each cost."""
    hero = next((one for one in pictures if one.stem == "coffee"), pictures[0])
    with bar("variants") as progress:
        campaign = impasto.campaigns.create(
            name=f"Adverts of {hero.stem}",
            style="ink-wash",  # of what says no other
            items=[varied(hero.stem, impasto.uploads.create(hero))],
            output={"format": "jpeg", "quality": 88},
        ).wait(progress, timeout=600)
    jobs = {job.custom_id or "": job for job in campaign.items()}
    files = {name: job.save(out / f"{name}.jpg") for name, job in jobs.items() if job.output}
    rows: list[list[Shown]] = [
        [(hero.stem, hero), *((name, files.get(name)) for name in names(look))] for look in LOOKS
    ]
    contact_sheet(rows, out / "sheet.jpg", side=170)
    console.print(priced(jobs))
    cost = money(campaign.cost.actual_micros, campaign.cost.currency)
    console.print(f"{len(files)} of {len(jobs)} variants: {cost}")
    console.print(f"look at {out / 'sheet.jpg'}")


def varied(name: str, upload: Upload) -> dict[str, Any]:
    """One item with an output for every look at every strength, each under a name of its own."""
    return {
        "custom_id": name,
        "input": {"upload_id": upload.id},
        "variants": [
            {"custom_id": name, "style": style, "strength": strength}
            for look, style in LOOKS.items()
            for name, strength in zip(names(look), STRENGTHS, strict=True)
        ],
    }


def names(look: str) -> list[str]:
    """What its variants are called, here and in every report: `ink-60`."""
    return [f"{look}-{100 * strength:.0f}" for strength in STRENGTHS]


def priced(jobs: dict[str, Job]) -> Table:
    """What each variant cost; the number opens the picture, in terminals that open links."""
    strengths = (f"{strength:g}" for strength in STRENGTHS)
    table = Table("look", *strengths, title="Cost of each, in millionths")
    for look in LOOKS:
        table.add_row(look, *(cell(jobs[name]) for name in names(look)))
    return table


def cell(job: Job) -> str:
    """What it cost, or how it ended."""
    if job.cost is None or job.output is None:
        return job.error.code if job.error else job.status
    return f"[link={job.output.url}]{job.cost.micros}[/link]"


if __name__ == "__main__":
    cook(adverts, "ad_variants")
