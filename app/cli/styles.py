"""The looks there are, and how to add one of your own."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from app.catalog import Catalog, StyleCard, open_catalog
from app.cli import work
from app.domain.style import SMALLEST
from app.errors import ClientError, Conflict, InvalidRequest, Misconfigured
from app.images import inspect
from app.settings import Settings, settings

REFUSED = 2  #: exit code, as for options that make no sense

Picture = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What to learn.")]
Name = Annotated[str, typer.Option(help="The style's slug.")]
Title = Annotated[str, typer.Option(help="Of the picture.")]
Artist = Annotated[str, typer.Option(help="Who made it.")]
Year = Annotated[int, typer.Option(help="When.")]
Licence = Annotated[str, typer.Option(help="An SPDX expression.")]
Licensor = Annotated[str, typer.Option(help="Who allows this.")]
Evidence = Annotated[str, typer.Option(help="How anybody can tell.")]
Description = Annotated[str, typer.Option(help="What it does to a photograph.")]
Minutes = Annotated[float, typer.Option(min=0.1, help="Of wall time, at most.")]
Preview = Annotated[Path | None, typer.Option(help="A .jpg or .png file.")]

commands = typer.Typer(invoke_without_command=True)


@commands.callback()
def listing(
    context: typer.Context,
    key: Annotated[str, typer.Option(envvar="IMPASTO_API_KEY", help="Your API key.")] = "",
    url: work.Url = work.LOCAL,
    as_json: work.Json = False,
) -> None:
    """The looks there are; `learn` adds one."""
    if context.invoked_subcommand is not None:
        return
    if not key:
        raise typer.BadParameter("a key is needed to ask the service: --key or IMPASTO_API_KEY.")
    work.styles(key, url, as_json)


@commands.command()
def learn(
    picture: Picture,
    name: Name,
    title: Title,
    artist: Artist,
    year: Year,
    licence: Licence,
    licensor: Licensor,
    evidence: Evidence,
    description: Description = "",
    style_version: Annotated[int, typer.Option(min=1, help="Of a style known already.")] = 1,
    stylizer: Annotated[str, typer.Option(help="The network; the workers' unless given.")] = "",
    minutes: Minutes = 8.0,
    device: Annotated[str, typer.Option(help="cpu, cuda; auto is a GPU if there is one.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    photos: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Photographs; scikit-image's unless given."
        ),
    ] = None,
    backbone: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="VGG-19; torchvision's unless given."),
    ] = None,
    preview: Preview = None,
    as_json: work.Json = False,
) -> None:
    """Learn a style from one picture; it takes minutes, and a preview comes in seconds."""
    given = settings()
    stylizer = stylizer or given.engine.stylizer
    words: dict[str, Any] = {
        "slug": name,
        "version": style_version,
        "title": title,
        "artist": artist,
        "year": year,
        "licence": {"spdx": licence, "licensor": licensor, "evidence": evidence},
    }
    try:
        check_words(words)
        check_picture(picture, given)
        check_new(open_catalog(given), stylizer, name, style_version)
    except ClientError as error:
        Console(stderr=True, highlight=False).print(
            f"[bold red]impasto:[/] {error}", soft_wrap=True
        )
        raise typer.Exit(REFUSED) from error
    if find_spec("torch") is None:
        raise Misconfigured("Learning needs PyTorch; install it: pip install 'impasto[training]'.")
    options = {
        "name": name,
        "style-version": style_version,
        "title": title,
        "artist": artist,
        "year": year,
        "licence": licence,
        "licensor": licensor,
        "evidence": evidence,
        "description": description or None,
        "stylizer": stylizer,
        "catalog": given.catalog,
        "photos": photos,
        "backbone": backbone,
        "preview": preview,
        "minutes": minutes,
        "device": device,
        "threads": threads,
    }
    _become(picture, options, as_json=as_json)


def check_words(words: dict[str, Any]) -> None:
    """Raises `InvalidRequest` for a slug, title or licence that no catalog would take."""
    try:
        card = StyleCard.model_validate({**words, "embeddings": {}})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg'].removeprefix('Value error, ')}.") from error
    said = ("spdx", "licensor", "evidence")
    blank = [word for word in said if not getattr(card.licence, word).strip()]
    if blank:
        raise InvalidRequest(f"licence: {', '.join(blank)} must not be empty.")


def check_picture(picture: Path, given: Settings) -> None:
    """Raises `InvalidImage` or `ImageTooLarge` by the picture's header alone."""
    limits = given.limits.model_copy(update={"min_side": SMALLEST})
    try:
        inspect(picture.read_bytes(), limits)
    except ClientError as error:
        raise type(error)(f"{picture}: {error}.") from error


def check_new(catalog: Catalog, stylizer: str, slug: str, version: int) -> None:
    """Raises `Conflict` for a version there is, `CatalogCorrupt` for a stylizer there is not."""
    catalog.stylizer(stylizer)
    known = [card.version for card in catalog.styles if card.slug == slug]
    if version in known:
        raise Conflict(
            f"There is a style {slug}@{version} already, and versions never change; "
            f"--style-version {max(known) + 1} makes a new one."
        )


def _become(picture: Path, options: dict[str, Any], *, as_json: bool) -> None:
    """PyTorch lives in another package, which this one may not import: its process becomes that."""
    pairs = [f"--{name}={value}" for name, value in options.items() if value is not None]
    arguments = [str(picture), *pairs, *(["--json"] if as_json else [])]
    # Threads that spin while they wait for each other lose four fifths of a busy machine.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    sys.stdout.flush()
    command = [sys.executable, "-m", "training.learn", *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own
