"""Sending pictures and watching them, over HTTP, as anybody else would."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli import controls
from app.client import Client, Sent
from app.domain.parameters import SOFT, OutputFormat
from app.domain.requests import MAX_ITEMS
from app.errors import BadRequest, ImpastoError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

Url = Annotated[str, typer.Option(envvar="IMPASTO_PUBLIC_URL", help="The service.")]
Key = Annotated[str, typer.Option(envvar="IMPASTO_API_KEY", help="Your API key.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
LOCAL = "http://127.0.0.1:8000"


def add(cli: typer.Typer) -> None:
    """The commands of this module."""
    for command in (submit, status):
        cli.command()(command)


def submit(
    directory: Annotated[Path, typer.Argument(exists=True, help="A folder, or one picture.")],
    style: controls.Style,
    key: Key,
    url: Url = LOCAL,
    name: Annotated[str, typer.Option(help="The campaign's name.")] = "",
    strength: controls.Strength = 1.0,
    keep_colour: controls.KeepColour = 0.0,
    variation: controls.Variation = None,
    mask: controls.Mask = None,
    mask_feather: controls.MaskFeather = SOFT,
    deterministic: controls.Deterministic = False,
    size: controls.Size = None,
    print_: controls.Print = False,
    quality: controls.Quality = 90,
    format: Annotated[OutputFormat, typer.Option(help="Of the outputs.")] = OutputFormat.JPEG,
    territory: controls.Territory = "",
    channel: controls.Channel = "",
    out: Annotated[Path | None, typer.Option(help="Wait, and put the outputs here.")] = None,
    as_json: Json = False,
) -> None:
    """Send every picture of a folder as one campaign, and watch it; a mask is for all of them."""
    paths = pictures(directory)
    look = {
        "style": style,
        "strength": strength,
        "keep_colour": keep_colour,
        "variation": variation,
        "deterministic": deterministic,
        "quality": "print" if print_ else "standard",
        "output": {"format": format.value, "quality": quality, "size": size},
        "territory": territory or [],
        "channel": channel or [],
    }
    with Client(url, key) as client:
        if mask is not None:
            look["mask"] = {"upload_id": client.upload(mask).upload_id, "feather": mask_feather}
        sent = bring(client, paths, quiet=as_json)
        if not sent:
            raise BadRequest("Not one of these pictures was accepted.")
        body = {"name": name or directory.resolve().name, **look, "items": _items(sent)}
        campaign = watch(client, client.post("/v1/campaigns", body)["id"], quiet=as_json)
        if out is not None:
            _download(client, campaign["id"], out)
    _say(campaign, as_json=as_json)
    sys.exit(0 if campaign["counts"]["succeeded"] == len(paths) else 1)


def _items(sent: list[Sent]) -> list[dict[str, Any]]:
    return [
        {"custom_id": f"{number:04d}-{one.path.name}", "input": {"upload_id": one.upload_id}}
        for number, one in enumerate(sent)
    ]


def status(
    campaign_id: str, key: Key, url: Url = LOCAL, as_json: Json = False, follow: bool = False
) -> None:
    """How a campaign is doing."""
    with Client(url, key) as client:
        if follow:
            campaign = watch(client, campaign_id, quiet=as_json)
        else:
            campaign = client.get(f"/v1/campaigns/{campaign_id}")
    _say(campaign, as_json=as_json)


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


def pictures(directory: Path) -> list[Path]:
    """The pictures in a folder, by name. Raises `BadRequest` where there is none, or too many."""
    found = [directory] if directory.is_file() else sorted(directory.iterdir())
    paths = [path for path in found if path.suffix.lower() in PICTURES]
    if not paths:
        raise BadRequest(f"{directory} holds no JPEG, PNG or WebP picture.")
    if len(paths) > MAX_ITEMS:
        raise BadRequest(f"{directory} holds {len(paths)} pictures; a campaign takes {MAX_ITEMS}.")
    return paths


def bring(client: Client, paths: list[Path], *, quiet: bool) -> list[Sent]:
    """Upload with a progress bar; refusals are told and left out."""
    with _progress(quiet) as progress:
        task = progress.add_task("uploading", total=len(paths))

        def seen(path: Path, error: ImpastoError | None) -> None:
            progress.advance(task)
            if error is not None:
                progress.console.print(f"{path.name}: {error}", style="yellow")

        return client.upload_all(paths, seen)


def watch(client: Client, campaign_id: str, *, quiet: bool) -> dict[str, Any]:
    """Follow a campaign to its end with a progress bar."""
    campaign: dict[str, Any] = {}
    with _progress(quiet) as progress:
        task = progress.add_task("stylizing")
        for campaign in client.watch(f"/v1/campaigns/{campaign_id}"):
            counts = campaign["counts"]
            left = counts["queued"] + counts["running"] + counts["in_review"]
            progress.update(task, total=counts["total"], completed=counts["total"] - left)
    return campaign


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


def _download(client: Client, campaign_id: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = f"/v1/campaigns/{campaign_id}/items"
    for item in client.pages(path, status="succeeded", limit=200):
        if item["output"]["url"] is None:
            Console(stderr=True).print(f"{item['custom_id']}: kept back by its style's licence")
            continue
        suffix = OutputFormat(item["output"]["media_type"].removeprefix("image/")).value
        name = Path(item["custom_id"]).stem
        (out / f"{name}.{suffix}").write_bytes(client.download(item["output"]["url"]))


def _say(campaign: dict[str, Any], *, as_json: bool) -> None:
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
