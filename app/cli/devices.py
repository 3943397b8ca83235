"""A fleet of workers, one for each device of this machine."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from time import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.settings import settings

DATA = Path("var/fleet")

commands = typer.Typer(invoke_without_command=True)
Data = Annotated[Path, typer.Option(help="Its logs, its state, what its engines learned.")]


@commands.callback()
def fleet(
    context: typer.Context,
    devices: Annotated[
        str | None,
        typer.Option(help="GPU UUIDs with commas between, or cpu:N; unset, all that are visible."),
    ] = None,
    data: Data = DATA,
) -> None:
    """Run one stylizing worker for each device; Ctrl-C or SIGTERM drains them all."""
    if context.invoked_subcommand is not None:
        return
    from app.stack.devices import chosen
    from app.stack.fleet import run

    given = settings()
    run(chosen(devices, given.engine, os.environ), data, given, typer.echo)


@commands.command()
def status(
    data: Data = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """How the workers of a fleet on this machine are, device by device."""
    from app.stack.fleet import status

    workers = status(data)
    if as_json:
        typer.echo(json.dumps([asdict(worker) for worker in workers]))
        return
    table = Table("worker", "device", "state", "pid", "for", "starts", "last end")
    for its in workers:
        state = its.state
        if its.due is not None:
            state = f"starts in {max(0.0, its.due - time()):.0f} s"
        age = "" if its.since is None else f"{time() - its.since:.0f} s"
        pid = "" if its.pid is None else str(its.pid)
        device = its.device if its.told in (None, its.device) else f"{its.device} has {its.told}"
        table.add_row(its.name, device, state, pid, age, str(its.starts), its.last_end or "")
    Console().print(table)
