"""What waits, who works, what is stuck."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from app.cli.desk import database
from app.cli.keys import Json
from app.cli.ops.tables import Facts, facts, show
from app.db import halts, operations
from app.db.halts import names_of
from app.db.models import Halt, HaltKind
from app.errors import BadRequest

Most = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Rows at most.")]


def add(commands: typer.Typer) -> None:
    """The commands of this module."""
    for command in (lanes, jobs, workers):
        commands.command()(command)


def lanes(
    by_style: Annotated[bool, typer.Option("--by-style", help="A row for each style.")] = False,
    by_size: Annotated[bool, typer.Option("--by-size", help="And for each size.")] = False,
    as_json: Json = False,
) -> None:
    """What waits and runs in each lane, for how long, and what is paused there and why."""
    with database()() as session:
        rows = facts(operations.lanes(session, styles=by_style, sizes=by_size))
        stopped = halts.listing(session)
    paused = {one.target: _why(one) for one in stopped if one.kind is HaltKind.LANE}
    pins = {pin: _why(one) for one in stopped for pin in one.pins}
    for row in rows:
        row["paused"] = paused.get(row["lane"]) or pins.get(row.get("style") or "")
    show(rows, as_json=as_json, empty="")
    if not as_json:
        for one in stopped:
            typer.echo(f"{one.kind} {one.target} is stopped: {_why(one)}.")


def jobs(
    stuck: Annotated[bool, typer.Option("--stuck", help="Late, or waiting for too long.")] = False,
    limit: Most = 100,
    as_json: Json = False,
) -> None:
    """Jobs that nobody works on and somebody should: who has them, since when, how often."""
    if not stuck:
        raise BadRequest("Say which: --stuck. `impasto ops dead` has those that failed.")
    with database()() as session:
        rows = facts(operations.stuck(session, limit=limit))
    show(rows, as_json=as_json, empty="Nothing is stuck.")


def workers(as_json: Json = False) -> None:
    """Who is up, what each holds, and who was told to take no more."""
    with database()() as session:
        rows = facts(operations.workers(session))
        stopped = {one.target: one for one in halts.listing(session) if one.kind == "worker"}
    for row in rows:
        row["state"] = _state(row, stopped)
    show(rows, as_json=as_json, empty="No worker was heard of in the last half minute.")


def _state(row: Facts, stopped: Mapping[str, Halt]) -> str:
    if halted(row["worker"], stopped):
        return "draining" if row["held"] else "drained"
    if row["late_seconds"]:
        return "late"
    return "working" if row["held"] else "idle"


def halted(worker: str, stopped: Mapping[str, Halt]) -> Sequence[str]:
    """Which of the names that were told to stop are this worker's."""
    return [name for name in names_of(worker) if name in stopped]


def _why(one: Halt) -> str:
    since = one.at.isoformat(timespec="seconds")
    return f"by {one.by} since {since}" + (f", {one.reason}" if one.reason else "")
