"""`python -m workers`: the commands that carry an engine, or talk to the outside."""

import json
import os
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from app.cli import controls
from app.domain.parameters import SOFT, Mask, Output, OutputFormat, Parameters
from app.domain.renditions import Rendition
from app.errors import BadRequest, ImpastoError
from app.settings import settings
from workers import hardware

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)

commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Ready = Annotated[
    Path | None, typer.Option(help="A file to create once this process serves: a readiness probe.")
]


@commands.command()
def worker(
    device: Annotated[int, typer.Option(help="Which device of this machine.")] = 0,
    expect: Annotated[
        str | None, typer.Option(help="Do not start unless this is it: a GPU's UUID, or cpu:0.")
    ] = None,
    ready_file: Ready = None,
) -> None:
    """Stylize: claim jobs, draw them on one device, store what comes out."""
    if expect is not None:
        hardware.expected(expect, os.environ)
    from workers.process import run_stylizing

    given = settings()
    engine = given.engine.model_copy(update={"device": device})
    run_stylizing(given.model_copy(update={"engine": engine}), ready_file)


@commands.command()
def build(
    shape: Annotated[
        list[str] | None,
        typer.Option(help="HEIGHTxWIDTHxBATCH, again for more; unset, IMPASTO_ENGINE__HOT."),
    ] = None,
    stylizer: Annotated[
        list[str] | None,
        typer.Option(help="Whose network, again for more; unset, IMPASTO_ENGINE__STYLIZER."),
    ] = None,
    device: Annotated[int, typer.Option(help="Which device of this machine.")] = 0,
) -> None:
    """Build what this device's engines keep, ahead of serving; styles share their stylizer's."""
    from app.catalog import open_catalog
    from workers.building import built

    engine = settings().engine.model_copy(update={"device": device})
    if shape:
        engine = engine.model_copy(update={"hot": tuple(shape)})
    for line in built(engine, open_catalog(settings()), stylizer or [engine.stylizer]):
        typer.echo(line)


@commands.command()
def optimizer(ready_file: Ready = None) -> None:
    """Print pictures and learn styles: minutes each, with PyTorch (the training extra)."""
    from workers.process import run_optimizing

    run_optimizing(settings(), ready_file)


@commands.command()
def io(
    beat: Annotated[bool, typer.Option(help="Also say when to sweep.")] = False,
    ready_file: Ready = None,
) -> None:
    """Fetch pictures behind URLs, deliver webhooks, sweep."""
    from workers.process import run_io

    run_io(settings(), ready_file, beat=beat)


@commands.command()
def beat() -> None:
    """Only say when to sweep: for fleets with many io workers."""
    from workers.process import run_beat

    run_beat(settings())


@commands.command()
def flower(
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="And at which port.")] = 5555,
) -> None:
    """Show workers and tickets: read-only, and behind FLOWER_BASIC_AUTH=name:password."""
    from workers.console import become

    become(settings(), host, port)


@commands.command()
def stylize(
    picture: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    style: controls.Style,
    out: Annotated[Path, typer.Option("--out", "-o", help="The suffix picks the format.")],
    strength: controls.Strength = 1.0,
    keep_colour: controls.KeepColour = 0.0,
    variation: controls.Variation = None,
    mask: controls.Mask = None,
    mask_feather: controls.MaskFeather = SOFT,
    deterministic: controls.Deterministic = False,
    size: controls.Size = None,
    quality: controls.Quality = 90,
    rendition: Annotated[
        str, typer.Option(hidden=True, help="What `impasto verify` draws again: JSON.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Stylize one picture here and now, without any service."""
    from workers import local

    parameters = Parameters(
        strength=strength,
        keep_colour=keep_colour,
        variation=variation,
        mask=mask and Mask(digest=sha256(mask.read_bytes()).hexdigest(), feather=mask_feather),
        deterministic=deterministic,  # as every picture is that is drawn here: alone
        output=Output(format=format_of(out), quality=quality, size=size),
        renditions=(Rendition.model_validate_json(rendition),) if rendition else (),
    )
    console = Console(stderr=True)
    hidden = not console.is_terminal  # it would leave an empty line in a script's errors
    with Progress(*COLUMNS, console=console, transient=True, disable=hidden) as progress:
        tiles = progress.add_task(picture.name, total=None, visible=False)

        def seen(done: int, amount: int) -> None:
            progress.update(tiles, completed=done, total=amount, visible=True)

        made = local.stylize(settings(), picture, style, parameters, out, mask, seen)
    if as_json:
        typer.echo(json.dumps(asdict(made)))
    else:
        typer.echo(f"{out}: {made.width}x{made.height}, {made.engine_ms:.0f} ms in the engine")


def format_of(path: Path) -> OutputFormat:
    """The format a file's name asks for. Raises `BadRequest` for one we do not write."""
    suffix = path.suffix.lower().lstrip(".")
    try:
        return OutputFormat("jpeg" if suffix == "jpg" else suffix)
    except ValueError:
        formats = ", ".join(f".{one.value}" for one in OutputFormat)
        raise BadRequest(f"{path.name!r} should end in .jpg, {formats}.") from None


def main() -> int:
    """Run a command; what we raise on purpose is a sentence and exit code 1."""
    try:
        commands()
    except ImpastoError as error:
        sys.stderr.write(f"impasto: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
