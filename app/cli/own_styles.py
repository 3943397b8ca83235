"""Styles of a running service: have it learn one, make it active, give it style pictures."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from app.cli import styles, work
from app.client import Client
from app.db import open_database, style_pictures
from app.errors import ClientError
from app.images import Header, inspect
from app.settings import LimitSettings, settings
from app.stack.found import beside
from app.storage import Blob, Storage, open_storage, style_picture_key


def add(commands: typer.Typer) -> None:
    """The commands of this module."""
    for command in (submit, review, activate, pictures):
        commands.command()(command)


def submit(
    picture: styles.Picture,
    name: styles.Name,
    title: styles.Title,
    artist: styles.Artist,
    year: styles.Year,
    licence: styles.Licence,
    licensor: styles.Licensor,
    evidence: styles.Evidence,
    key: work.Key,
    url: work.Url = work.LOCAL,
    valid_until: Annotated[str, typer.Option(help="The licence's last day: 2027-03-31.")] = "",
    territory: Annotated[list[str] | None, typer.Option(help="DE; once for each.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="web; once for each.")] = None,
    description: styles.Description = "",
    minutes: styles.Minutes = 8.0,
    preview: styles.Preview = None,
    activate: Annotated[bool, typer.Option("--activate", help="Offer it at once.")] = False,
    as_json: work.Json = False,
) -> None:
    """Have the service learn a style from one picture, and watch it; Ctrl-C leaves it at work."""
    wanted = {
        "name": name,
        "title": title,
        "artist": artist,
        "year": year,
        "description": description,
        "licence": {
            "spdx": licence,
            "licensor": licensor,
            "evidence": evidence,
            "valid_until": valid_until or None,
            "territories": territory or [],
            "channels": channel or [],
        },
        "minutes": minutes,
    }
    with Client(url, key) as client:
        uploaded = client.upload(picture).upload_id
        style = client.post("/v1/styles", {**wanted, "picture": {"upload_id": uploaded}})
        job = _watch(client, style["job"], quiet=as_json)
        if preview is not None and job["output"]:
            preview.write_bytes(client.download(job["output"]["url"]))
        if activate and job["status"] == "succeeded":
            client.post(f"/v1/styles/{name}/activate?version={style['version']}")
        versions = client.get(f"/v1/styles/{name}")["versions"]
    [learned] = [one for one in versions if one["version"] == style["version"]]
    _say(learned, as_json=as_json)
    if job["status"] != "succeeded":
        raise typer.Exit(1)


def review(
    name: Annotated[str, typer.Argument(help="Of a style of yours.")],
    key: work.Key,
    url: work.Url = work.LOCAL,
    version: Annotated[int | None, typer.Option(min=1, help="The newest unless given.")] = None,
) -> None:
    """Ask for a second pair of eyes: another key then activates the style."""
    with Client(url, key) as client:
        wanted = f"?version={version}" if version else ""
        client.post(f"/v1/styles/{name}/submit-for-review{wanted}")
    typer.echo(f"{name} waits for somebody else to activate it.")


def activate(
    name: Annotated[str, typer.Argument(help="Of a style of yours.")],
    key: work.Key,
    url: work.Url = work.LOCAL,
    version: Annotated[int | None, typer.Option(min=1, help="The newest unless given.")] = None,
) -> None:
    """Let a style that was learned be asked for."""
    with Client(url, key) as client:
        wanted = f"?version={version}" if version else ""
        client.post(f"/v1/styles/{name}/activate{wanted}")
    typer.echo(f"{name} is active.")


def pictures(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
) -> None:
    """
    Give the store the pictures that the catalog's styles were learned from: prints need them.

    They are known by their digests, whatever they are called; others are left alone.
    """
    found = beside(settings())
    storage = open_storage(found.storage)
    sessions = open_database(found.database_url.get_secret_value(), pool=1)
    with sessions() as session:
        wanted = style_pictures.wanted(session)
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        content = path.read_bytes()
        digest = sha256(content).hexdigest()
        if digest in wanted:
            header = _put(storage, digest, content, found.limits)
            with sessions.begin() as session:
                style_pictures.add(session, digest, header, len(content))
            typer.echo(f"{path.name}: {wanted.pop(digest)}")
    if wanted:
        typer.echo(f"Still without a picture: {', '.join(sorted(set(wanted.values())))}.")


def _put(storage: Storage, digest: str, content: bytes, limits: LimitSettings) -> Header:
    header = inspect(content, limits)
    storage.put(Blob(style_picture_key(None, digest), content, header.media_type))
    return header


def _watch(client: Client, path: str, *, quiet: bool) -> dict[str, Any]:
    job: dict[str, Any] = {}
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:>10}"), *columns, console=console, disable=quiet
    ) as bar:
        task = bar.add_task("learning", total=100)
        for job in client.watch(path):
            share = re.search(r"(\d+)%", job["stage"] or "")
            if share:
                bar.update(task, completed=int(share[1]))
    return job


def _say(style: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(style))
        return
    error, quality = style["error"], style["card"].get("quality")
    typer.echo(f"{style['pinned']} is {style['status']}")
    if error:
        raise ClientError(f"{error['title']}: {error['detail']}")
    if quality:
        typer.echo(f"content {quality['content']:.3f}, style {quality['style']:.3f}")
    if style["preview_url"]:
        typer.echo(f"preview: {style['preview_url']}")
