"""A shop's season in one look, from a list of products: read seasonal_batch.md beside this."""

import csv
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from kit import bar, console, cook, facts, money, pairs, shots

from impasto.client import Campaign, Estimate, Impasto

#: Painted, but half of every colour stays the product's own.
LOOK: Final[dict[str, Any]] = {
    "style": "cottages",
    "keep_colour": 0.5,
    "output": {"format": "webp"},
}
TAGS: Final = {"season": "spring-2027", "brand": "acme"}
MARGIN: Final = 1.5  #: of what it should cost: the most that the season may


def season(impasto: Impasto, pictures: list[Path], out: Path) -> None:
    """Price it, prove it, draw the rest, take it home."""
    products = shots(pictures, out / "products")
    uploads = {sku: str(impasto.uploads.create(path).id) for sku, path in products.items()}
    estimate = ask(impasto, uploads)
    campaign = impasto.campaigns.create(
        name="Spring 2027",
        manifest=write(uploads, out / "products.csv"),
        budget_micros=estimate.price.micros // estimate.jobs + 1,  # one picture: a proof
        cancel_after="2h",  # what has not begun by then is not wanted any more
        tags=TAGS,
        **LOOK,
    )
    campaign = draw(campaign, expected=estimate.price.micros)
    files = checked(campaign.archive(out / "spring-2027.zip"))
    drawn = [((sku, path), ("painted", files.get(f"{sku}.webp"))) for sku, path in products.items()]
    sheet = pairs(drawn, out / "sheet.jpg", across=3, side=110)
    report = campaign.report(out / "report.html")
    facts("Handed over", {"files that verify": len(files), "report": report, "look at": sheet})
    seasons = impasto.costs.list("tag:season")
    spent = {one.key or "-": money(one.micros, one.currency) for one in seasons}
    facts("In 30 days, by season", spent)


def ask(impasto: Impasto, uploads: Mapping[str, str]) -> Estimate:
    """What it would cost; nothing is accepted yet."""
    items = [{"custom_id": sku, "input": {"upload_id": one}} for sku, one in uploads.items()]
    estimate = impasto.costs.estimate(items=items, **LOOK)
    price = money(estimate.price.micros, estimate.price.currency)
    facts("Before", {"pictures": estimate.jobs, "estimate": price, "known from": estimate.basis})
    return estimate


def draw(campaign: Campaign, *, expected: int) -> Campaign:
    """A proof, as far as its small budget goes; then, once somebody said yes, all the others."""
    with bar("proof") as progress:
        campaign = campaign.wait(progress, timeout=600)
    tell("Proof", campaign)
    for line in campaign.manifest_errors():
        console.print(f"line {line.line} ({line.custom_id}) is {line.code}: {line.detail}")
    counts = campaign.counts
    if counts.failed:
        proved = campaign.cost.actual_micros * counts.total // max(1, counts.succeeded)
        campaign.set_budget(int(MARGIN * max(expected, proved)))
        with bar("season") as progress:
            campaign = campaign.retry_failed().wait(progress, timeout=3600)
        tell("Season", campaign)
    return campaign


def tell(title: str, campaign: Campaign) -> None:
    """How far it is, for how much, and why the others failed."""
    counts, cost = campaign.counts, campaign.cost
    why = {job.error.code for job in campaign.items(status="failed") if job.error}
    ended = {"succeeded": counts.succeeded, "failed": f"{counts.failed} {', '.join(why)}".strip()}
    spent = {"cost": cost.actual_micros, "budget": cost.budget_micros or 0}
    prices = {word: money(micros, cost.currency) for word, micros in spent.items()}
    facts(title, {**ended, "refused lines": counts.refused, **prices})


def write(uploads: Mapping[str, str], path: Path) -> Path:
    """The list of products as a manifest; its last line has a typing error."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["custom_id", "upload_id", "strength", "metadata.page"])
        lines.writerows([sku, one, "", page] for page, (sku, one) in enumerate(uploads.items(), 1))
        lines.writerow(["typo-1", next(iter(uploads.values())), "80", 99])
    return path


def checked(archive: Path) -> dict[str, bytes]:
    """The files of the archive, once every checksum was found to hold."""
    with ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    for line in files.pop("SHA256SUMS").decode().splitlines():
        digest, name = line.split(maxsplit=1)
        if sha256(files[name]).hexdigest() != digest:
            raise SystemExit(f"{name} is not what was handed over")
    return files


if __name__ == "__main__":
    cook(season, "seasonal_batch")
