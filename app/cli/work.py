"""Watching work over HTTP, as anybody else would, and how it is shown."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.client import Client, Sent
from app.errors import ImpastoError

#: Where a client looks for its service; the second is what the service itself is told.
ADDRESS = ["IMPASTO_URL", "IMPASTO_PUBLIC_URL"]
Url = Annotated[str, typer.Option(envvar=ADDRESS, help="The service.")]
Key = Annotated[str, typer.Option(envvar="IMPASTO_API_KEY", help="Your API key.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
LOCAL = "http://127.0.0.1:8000"


def add(cli: typer.Typer) -> None:
    """The commands of this module."""
    cli.command()(status)


def status(
    campaign_id: str, key: Key, url: Url = LOCAL, as_json: Json = False, follow: bool = False
) -> None:
    """How a campaign is doing."""
    with Client(url, key) as client:
        if follow:
            campaign = watch(client, campaign_id, quiet=as_json)
        else:
            campaign = client.get(f"/v1/campaigns/{campaign_id}")
    say(campaign, as_json=as_json)


def styles(key: Key, url: Url = LOCAL, as_json: Json = False) -> None:
    """The looks there are."""
    with Client(url, key) as client:
        known = client.get("/v1/styles")["data"]
    if as_json:
        typer.echo(json.dumps(known))
        return
    table = Table("style", "title", "licence", "")
    for one in known:
        spdx = one["card"]["licence"]["spdx"]
        table.add_row(one["name"], one["title"], spdx, " ".join(one["warnings"]))
    Console().print(table)


def bring(client: Client, paths: list[Path], *, quiet: bool) -> list[Sent]:
    """Upload with a progress bar; refusals are told and left out."""
    with progress(quiet) as bar:
        task = bar.add_task("uploading", total=len(paths))

        def seen(path: Path, error: ImpastoError | None) -> None:
            bar.advance(task)
            if error is not None:
                bar.console.print(f"{path.name}: {error}", style="yellow")

        return client.upload_all(paths, seen)


def watch(client: Client, campaign_id: str, *, quiet: bool) -> dict[str, Any]:
    """Follow a campaign to its end with a progress bar."""
    campaign: dict[str, Any] = {}
    with progress(quiet) as bar:
        task = bar.add_task("stylizing")
        for campaign in client.watch(f"/v1/campaigns/{campaign_id}"):
            counts = campaign["counts"]
            left = counts["queued"] + counts["running"] + counts["in_review"]
            bar.update(task, total=counts["total"], completed=counts["total"] - left)
    return campaign


def progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


def say(campaign: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(campaign))
        return
    table = Table(show_header=False)
    table.add_row("style", campaign["style"])
    for word, value in _controls(campaign["parameters"]):
        table.add_row(word, value)
    for word, number in campaign["counts"].items():
        table.add_row(word, str(number))
    table.add_row("cost", f"{campaign['cost']['actual_micros'] / 1e6:.6f}")
    Console().print(f"{campaign['name']} [dim]{campaign['id']}[/]", table)


def _controls(parameters: dict[str, Any]) -> list[tuple[str, str]]:
    """What was asked for beyond the style and its output; the style shows its own mix."""
    shown = {name: value for name, value in parameters.items() if name not in ("output", "mix")}
    if "mask" in shown:
        shown["mask"] = f"feathered by {shown['mask']['feather']:g}"
    return [(name.replace("_", " "), str(value)) for name, value in shown.items()]
