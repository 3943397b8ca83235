"""Presets of a running service: made, shown, retired."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app.cli import work
from app.client import Client
from app.domain.presets import PresetRequest
from app.domain.renditions import Rendition
from app.errors import BadRequest
from app.manifest import findings

commands = typer.Typer(no_args_is_help=True, help="Looks and files under a name.")

PLACE = "/v1/presets"
Which = Annotated[str, typer.Argument(metavar="NAME", help="`brand`, or one version: `brand@3`.")]


@commands.command()
def create(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON, as the API takes it.")
    ],
    key: work.Key,
    url: work.Url = work.LOCAL,
    as_json: work.Json = False,
) -> None:
    """Make a preset, or its next version; what says the same as the newest one makes none."""
    wanted = _read(file)
    with Client(url, key) as client:
        preset = client.post(PLACE, wanted)
    _say(preset, as_json=as_json)


@commands.command("list")
def listing(
    key: work.Key,
    url: work.Url = work.LOCAL,
    name: Annotated[str, typer.Option(help="All versions of this one.")] = "",
    as_json: work.Json = False,
) -> None:
    """The newest version of each, or all versions of one."""
    with Client(url, key) as client:
        rows = list(client.pages(PLACE, **({"name": name} if name else {})))
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("preset", "status", "style", "renditions", "made")
    for row in rows:
        names = ", ".join(one["name"] for one in row["template"]["renditions"])
        style = row["template"].get("style") or ""
        table.add_row(row["pinned"], row["status"], style, names, row["created_at"][:16])
    Console().print(table)


@commands.command()
def show(
    preset: Which, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """What a preset says."""
    with Client(url, key) as client:
        _say(client.get(_place(preset)), as_json=as_json)


@commands.command()
def retire(
    preset: Which, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """No new work under it: all versions, or the one that is named."""
    with Client(url, key) as client:
        retired = client.delete(_place(preset))
    if as_json:
        typer.echo(json.dumps(retired))
    else:
        typer.echo(f"{preset} takes no new work any more.")


def _read(file: Path) -> dict[str, Any]:
    """Checked here already, so that a mistake is told with its place."""
    content = file.read_bytes()
    try:
        PresetRequest.model_validate_json(content)
    except ValidationError as error:
        raise BadRequest(f"{file.name}: {findings(error)}") from error
    wanted: dict[str, Any] = json.loads(content)
    return wanted


def _place(preset: str) -> str:
    name, at, version = preset.partition("@")
    return f"{PLACE}/{name}?version={version}" if at else f"{PLACE}/{name}"


def _say(preset: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(preset))
        return
    template = preset["template"]
    console = Console(highlight=False)
    console.print(f"{preset['pinned']} is {preset['status']}. {template['description']}".strip())
    facts = Table(show_header=False, box=None)
    for word in ("style", "strength", "keep_colour", "variation", "deterministic"):
        if template[word] is not None:
            facts.add_row(word.replace("_", " "), str(template[word]))
    if template["output"]:
        facts.add_row("output", _written(template["output"]))
    for one in map(Rendition.model_validate, template["renditions"]):
        facts.add_row(one.name, _framed(one))
    console.print(facts)


def _written(output: dict[str, Any]) -> str:
    longest = f", longest side {output['size']}" if output["size"] else ""
    return f"{output['format']} {output['quality']}{longest}"


def _framed(one: Rendition) -> str:
    box = f"{one.width or ''}x{one.height or ''}" if one.width or one.height else "as large"
    how = f"{one.fit} {box}"
    if one.fit == "cover":
        how += f", {one.gravity}"
    if one.fit == "pad":
        how += f", {one.gravity} on {one.colour}"
    return f"{one.format} {one.quality}, {how}"
