"""The whole product in one command: start everything, send pictures, look at what comes back."""

import json
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from itertools import product
from math import ceil
from pathlib import Path
from statistics import mean
from time import monotonic, sleep
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.work import bring, watch
from app.client import Client, Impasto, Sent
from app.domain.requests import MAX_ITEMS
from app.errors import BadRequest, Misconfigured
from app.receiver import Receiver
from app.sheet import Shown, contact_sheet

#: Photographs that scikit-image brings along and whose licences let anybody show them.
PHOTOGRAPHS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")
PLAIN = "identity"  #: the style that gives the photograph back
SIZE = 512
SHOWN = 240  #: pixels of a picture on the sheet
WEBHOOK_SECONDS = 30
TOLD_SECONDS = 15
REHEARSED = 6  #: styles


@dataclass(frozen=True)
class Cell:
    """One photograph in one style: a job of the campaign."""

    picture: Sent
    style: str

    @property
    def custom_id(self) -> str:
        return f"{self.picture.path.stem}-{self.style}"


def add(cli: typer.Typer) -> None:
    """The command of this module."""
    cli.command()(demo)


def demo(
    pictures: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="Your own.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the sheet and the report go.")] = Path(
        "var/demo"
    ),
    size: Annotated[int, typer.Option(min=64, help="Longest side of the outputs.")] = SIZE,
    keep: Annotated[bool, typer.Option(help="Keep the data of earlier demos.")] = False,
) -> None:
    """Start the whole system, send photographs in every style through it, show what comes out."""
    from app.stack.demo import running

    console = Console(stderr=True)
    paths = pictures or photographs()
    with (
        running(out / "stack", keep=keep) as (url, key),
        Receiver() as receiver,
        Impasto(url, key) as client,
    ):
        receiver.secret = client.webhook_secret()
        report = send(client, receiver, paths, out, size)
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    show(report, out, console)
    sys.exit(0 if report["succeeded"] == report["jobs"] and report["webhook_verified"] else 1)


def photographs() -> list[Path]:
    """The default pictures. Raises `Misconfigured` where the `demo` extra is missing."""
    found = find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise Misconfigured(
            "Name some pictures, or install the extra: pip install 'impasto[demo]'."
        )
    folder = Path(found.submodule_search_locations[0]) / "data"
    return [folder / name for name in PHOTOGRAPHS]


def send(
    client: Client, receiver: Receiver, paths: list[Path], out: Path, size: int
) -> dict[str, Any]:
    """One campaign of every picture in every style; what there is to report of it."""
    styles = [one["name"] for one in client.get("/v1/styles")["data"] if one["name"] != PLAIN]
    uploaded = bring(client, paths, quiet=False)
    if not uploaded:
        raise BadRequest("Not one of these pictures was accepted.")
    if len(uploaded) * len(styles) > MAX_ITEMS:
        raise BadRequest(f"Name at most {MAX_ITEMS // len(styles)} pictures: a campaign is full.")
    cells = [Cell(*pair) for pair in product(uploaded, styles)]
    rehearse(client, [Cell(*pair) for pair in product(uploaded, styles[:REHEARSED])], size)
    body = request(cells, styles[0], size, receiver.url)
    estimate = client.post("/v1/estimates", body)
    start = monotonic()
    campaign = client.post("/v1/campaigns", body)
    campaign = watch(client, campaign["id"], quiet=False)
    wall = monotonic() - start
    told = receiver.wait_for("campaign.completed", WEBHOOK_SECONDS)
    items = {one["custom_id"]: one for one in client.pages(_items(campaign), limit=200)}
    outputs = {
        name: client.download(item["output"]["url"])
        for name, item in items.items()
        if item["status"] == "succeeded"
    }
    draw_sheet(cells, uploaded, styles, outputs, out / "contact-sheet.jpg")
    return {
        **numbers(campaign, list(items.values()), wall),
        "estimated_micros": estimate["price"]["micros"],
        "estimated_s": estimate["eta_seconds"],
        "webhook_verified": told is not None and told["data"]["campaign_id"] == campaign["id"],
        "assets": [item["output"]["asset_id"] for item in items.values() if item["output"]],
    }


def rehearse(client: Client, cells: list[Cell], size: int) -> None:
    """Draw some pictures, unlike the demo will, so that its estimate is one of this machine."""
    body = request(cells, cells[0].style, size, "")
    del body["webhook"]
    its = client.post("/v1/campaigns", body | {"name": "rehearsal", "strength": 0.99})
    watch(client, its["id"], quiet=True)
    deadline = monotonic() + TOLD_SECONDS
    while client.post("/v1/estimates", body)["basis"] != "measured" and monotonic() < deadline:
        sleep(0.5)  # until the worker has told how fast it was


def request(cells: list[Cell], style: str, size: int, webhook: str) -> dict[str, Any]:
    """The body of `POST /v1/campaigns`."""
    return {
        "name": "demo",
        "style": style,
        "output": {"size": size},
        "webhook": {"url": webhook},
        "items": [
            {
                "custom_id": cell.custom_id,
                "input": {"upload_id": cell.picture.upload_id},
                "style": cell.style,
            }
            for cell in cells
        ],
    }


def numbers(campaign: dict[str, Any], items: list[dict[str, Any]], wall: float) -> dict[str, Any]:
    """What the report and the table hold; latencies count from the acceptance."""
    done = [item for item in items if item["status"] == "succeeded"]
    latencies = sorted(map(latency_ms, done)) or [0.0]
    batches = [item["provenance"]["batch_size"] for item in done] or [0]
    return {
        "jobs": campaign["counts"]["total"],
        "succeeded": campaign["counts"]["succeeded"],
        "failed": campaign["counts"]["failed"],
        "wall_s": round(wall, 3),
        "images_per_s": round(len(done) / wall, 3),
        "p50_ms": percentile(latencies, 50),
        "p95_ms": percentile(latencies, 95),
        "mean_batch": round(mean(batches), 2),
        "cost_micros": campaign["cost"]["actual_micros"],
    }


def latency_ms(item: dict[str, Any]) -> float:
    """From acceptance to the end."""
    accepted, ended = (
        datetime.fromisoformat(item[moment]) for moment in ("created_at", "finished_at")
    )
    return (ended - accepted) / timedelta(milliseconds=1)


def percentile(ordered: list[float], percent: int) -> float:
    """The nearest-rank percentile of sorted numbers."""
    return round(ordered[max(0, ceil(len(ordered) * percent / 100) - 1)], 1)


def draw_sheet(
    cells: list[Cell],
    uploaded: list[Sent],
    styles: list[str],
    outputs: dict[str, bytes],
    path: Path,
) -> None:
    """A block of lines for each photograph: as it was, then in every style."""
    by_place = {(cell.picture, cell.style): outputs.get(cell.custom_id) for cell in cells}
    rows: list[list[Shown]] = [
        [("photograph", sent.path), *((style, by_place[sent, style]) for style in styles)]
        for sent in uploaded
    ]
    contact_sheet(rows, path, side=SHOWN)


def show(report: dict[str, Any], out: Path, console: Console) -> None:
    """The table a person wants to see."""
    table = Table(show_header=False, title="Impasto demo")
    table.add_row("pictures", f"{report['succeeded']} of {report['jobs']}")
    table.add_row("pictures a second", f"{report['images_per_s']:.2f}")
    table.add_row("p50 / p95", f"{report['p50_ms']:.0f} / {report['p95_ms']:.0f} ms")
    table.add_row("pictures a batch", f"{report['mean_batch']:.2f}")
    table.add_row("cost", f"{report['cost_micros'] / 1e6:.6f}")
    table.add_row("estimated before", f"{report['estimated_micros'] / 1e6:.6f}")
    table.add_row("webhook", "verified" if report["webhook_verified"] else "[red]missing[/]")
    console.print(table, f"[bold]{out / 'contact-sheet.jpg'}[/]", sep="\n")


def _items(campaign: dict[str, Any]) -> str:
    return f"/v1/campaigns/{campaign['id']}/items"
