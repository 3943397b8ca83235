"""Running the parts: all of them on this machine, or one at a time."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.settings import masked, settings

#: Engines live in another package, which this one may not import: its process becomes theirs.
ELSEWHERE = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


def add(cli: typer.Typer) -> None:
    """The commands of this module."""
    cli.command()(up)
    cli.command(context_settings=ELSEWHERE)(api)
    for command in (worker, optimizer, io, beat, flower, stylize):
        cli.command(context_settings=ELSEWHERE)(command)
    cli.command()(migrate)
    cli.command()(config)
    cli.add_typer(engines, name="engines")


def up(
    port: Annotated[int, typer.Option(help="Where the API listens, on 127.0.0.1.")] = 8000,
    data: Annotated[Path, typer.Option(help="Everything it keeps.")] = Path("var/impasto"),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Stylizing workers.")] = 1,
    null_engine: Annotated[
        bool, typer.Option("--null-engine", help="Draw nothing: measures everything else.")
    ] = False,
    flower: Annotated[bool, typer.Option(help="Flower, to watch the workers.")] = True,
    optimizer: Annotated[
        bool,
        typer.Option("--optimizer", help="Print and learn styles, too: needs impasto[training]."),
    ] = False,
    metrics: Annotated[
        int | None,
        typer.Option(help="First of the ports for Prometheus: API, io, optimizer, workers."),
    ] = None,
) -> None:
    """Start the whole system on this machine; Ctrl-C drains and stops it."""
    from app.stack.household import Plan
    from app.stack.up import up as run

    run(
        Plan(
            port=port,
            data=data,
            workers=workers,
            null_engine=null_engine,
            flower=flower,
            optimizer=optimizer,
            metrics=metrics,
        )
    )


def api(context: typer.Context) -> None:
    """Serve the HTTP API."""
    _become("app.api", *context.args)


def worker(context: typer.Context) -> None:
    """Stylize on one device: `--device 0`."""
    _become("workers", "worker", *context.args)


def optimizer(context: typer.Context) -> None:
    """Print pictures and learn styles, minutes each; needs the training extra."""
    _become("workers", "optimizer", *context.args)


def io(context: typer.Context) -> None:
    """Fetch pictures, deliver webhooks, sweep; `--beat` to also say when."""
    _become("workers", "io", *context.args)


def beat(context: typer.Context) -> None:
    """Only say when to sweep, for fleets with many io workers."""
    _become("workers", "beat", *context.args)


def flower(context: typer.Context) -> None:
    """Show workers and tickets in a browser: `--port 5555`; needs FLOWER_BASIC_AUTH for others."""
    _become("workers", "flower", *context.args)


def stylize(context: typer.Context) -> None:
    """Stylize one picture here and now, without any service."""
    _become("workers", "stylize", *context.args)


def migrate() -> None:
    """Bring the database to this version's schema, and the catalog into it."""
    from app.catalog import open_catalog, sync
    from app.db import open_database, rate_cards
    from app.db.migrations import upgrade

    url = settings().database_url.get_secret_value()
    upgrade(url)
    with open_database(url).begin() as session:
        sync(session, open_catalog(settings()))
        rate_cards.register(session, settings().rate_card)
    typer.echo("The database is up to date.")


def config() -> None:
    """Show the settings a process would run with; secrets stay masked."""
    typer.echo(masked(settings().model_dump_json(indent=2)))


engines = typer.Typer(help="What engines keep for a device.", no_args_is_help=True)


@engines.command(context_settings=ELSEWHERE)
def build(context: typer.Context) -> None:
    """Build engines ahead of serving: `--shape 512x512x8`, again for more shapes."""
    _become("workers", "build", *context.args)


def _become(module: str, *arguments: str) -> None:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own
