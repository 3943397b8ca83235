"""One photograph in many looks, to choose an advert from: read ad_variants.md beside this."""

from pathlib import Path
from typing import Final

from kit import bar, console, cook, money
from rich.table import Table

from impasto.client import Impasto, Job
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
    item = {
        "custom_id": hero.stem,
        "input": {"upload_id": impasto.uploads.create(hero).id},
        "variants": [
            {"custom_id": named(look, strength), "style": style, "strength": strength}
            for look, style in LOOKS.items()
            for strength in STRENGTHS
        ],
    }
    with bar("variants") as progress:
        campaign = impasto.campaigns.create(
            name=f"Adverts of {hero.stem}",
            style="ink-wash",  # of what says no other
            items=[item],
            output={"format": "jpeg", "quality": 88},
        ).wait(progress, timeout=600)
    jobs = {job.custom_id or "": job for job in campaign.items()}
    pictured = {name: job.save(out / f"{name}.jpg") for name, job in jobs.items() if job.output}
    rows: list[list[Shown]] = [
        [(hero.stem, hero)]
        + [(f"{look} {strength:g}", pictured.get(named(look, strength))) for strength in STRENGTHS]
        for look in LOOKS
    ]
    contact_sheet(rows, out / "sheet.jpg", side=170)
    console.print(priced(jobs))
    cost = campaign.cost
    console.print(
        f"{len(pictured)} of {len(jobs)} variants: {money(cost.actual_micros, cost.currency)}"
    )
    console.print(f"look at {out / 'sheet.jpg'}")


def named(look: str, strength: float) -> str:
    """What a variant is called, here and in every report: `ink-60`."""
    return f"{look}-{strength:.0%}".rstrip("%")


def priced(jobs: dict[str, Job]) -> Table:
    """What each variant cost, in millionths; its number opens the picture where links do."""
    table = Table(
        "look", *(f"{strength:g}" for strength in STRENGTHS), title="Millionths of a unit"
    )
    for look in LOOKS:
        cells = []
        for job in (jobs[named(look, strength)] for strength in STRENGTHS):
            cost = str(job.cost.micros) if job.cost else job.status
            link = job.output.url if job.output else None
            cells.append(f"[link={link}]{cost}[/link]" if link else cost)
        table.add_row(look, *cells)
    return table


if __name__ == "__main__":
    cook(adverts, "ad_variants")
