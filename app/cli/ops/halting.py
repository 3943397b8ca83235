"""Telling workers, lanes and styles to stop, and to go on."""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Annotated, Any

import typer
from sqlalchemy import Row

from app.cli.desk import database, operator
from app.db import Sessions, halts, operations
from app.db.halts import names_of
from app.db.models import HaltKind

LOOK_AGAIN = 0.5  #: seconds

Whom = Annotated[
    str, typer.Argument(help="A worker, `cuda:0@host`, or a host: `impasto ops workers`.")
]
What = Annotated[
    str, typer.Argument(help="campaign, interactive, ...; or great-wave, great-wave@1.")
]
Why = Annotated[str, typer.Option("--reason", help="Shown to who looks, kept in the audit log.")]


def add(commands: typer.Typer) -> None:
    """The commands of this module."""
    commands.command()(drain)
    commands.command()(resume)
    commands.command("pause-lane")(pause_lane)
    commands.command("resume-lane")(resume_lane)


def drain(
    whom: Whom,
    reason: Why = "",
    wait: Annotated[
        float,
        typer.Option(min=0, help="Seconds to wait until it holds nothing; exit code 1 if not."),
    ] = 0.0,
) -> None:
    """Have a worker finish what it has and take no more; also the next one on that device."""
    sessions = database()
    with sessions.begin() as session:
        fresh = halts.halt(session, HaltKind.WORKER, whom, by=operator(), reason=reason)
        known = _called(operations.workers(session), whom)
    typer.echo(f"{whom} takes no more work." if fresh else f"{whom} was told so before.")
    if not known:
        typer.echo(f"No worker that is up is called so; the next {whom} will start drained.")
    held = _left(sessions, whom, wait)
    if wait or known:
        typer.echo(f"It holds {held} jobs." if held else "It is drained: it holds nothing.")
    if wait and held:
        raise typer.Exit(1)


def resume(whom: Whom) -> None:
    """Let a drained worker work again; it hears of it within ten seconds."""
    with database().begin() as session:
        halts.resume(session, HaltKind.WORKER, whom, by=operator())
    typer.echo(f"{whom} takes work again, within ten seconds.")


def pause_lane(what: What, reason: Why = "") -> None:
    """Let no claim take jobs of a lane or a style; what runs is finished, what comes waits."""
    with database().begin() as session:
        kind = halts.kind_of(what)
        fresh = halts.halt(session, kind, what, by=operator(), reason=reason)
    typer.echo(f"{kind} {what}: {'paused' if fresh else 'was paused before'}.")


def resume_lane(what: What) -> None:
    """Let claims take them again."""
    with database().begin() as session:
        kind = halts.kind_of(what)
        halts.resume(session, kind, what, by=operator())
    typer.echo(f"{kind} {what}: goes on with the next sweep, within a second or two.")


def _left(sessions: Sessions, whom: str, seconds: float) -> int:
    """Jobs it still holds, once there are none or the time is over."""
    deadline = monotonic() + seconds
    while True:
        with sessions() as session:
            held = sum(int(row.held) for row in _called(operations.workers(session), whom))
        if not held or monotonic() >= deadline:
            return held
        sleep(LOOK_AGAIN)


def _called(rows: Sequence[Row[Any]], whom: str) -> list[Row[Any]]:
    return [row for row in rows if whom in names_of(row.worker)]
