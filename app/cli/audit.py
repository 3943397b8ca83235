"""The audit log: read it, and prove that nobody else wrote in it."""

import json
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.desk import database
from app.cli.keys import Json
from app.db import audit, tenants
from app.db.models import Tenant

commands = typer.Typer(no_args_is_help=True, help="Who did what; and whether the log is whole.")

Whose = Annotated[str | None, typer.Option("--tenant", help="Of one tenant; else of all.")]


@commands.command("list")
def listing(
    tenant: Whose = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """The newest lines, newest first."""
    with database()() as session:
        names = _names(session)
        if tenant is None:
            lines = audit.latest(session, limit=limit)
        else:
            its = tenants.named(session, tenant).id
            lines = audit.lines(session, its, before=None, limit=limit)
    rows = [
        {
            "tenant": names.get(line.chain, str(line.chain)),
            "sequence": line.sequence,
            "at": audit.at_of(line.at),
            "by": line.by,
            "action": line.action,
            "target": line.target,
            "details": json.loads(line.details),
            "hash": line.hash,
        }
        for line in lines
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        words = row | {"details": json.dumps(row["details"])}
        typer.echo(" ".join(str(words[name]) for name in list(row)[:-1]))


@commands.command()
def verify(
    tenant: Whose = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="A hash that an earlier run showed: it must still be in the log."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Walk every chain; the first broken line of each is named, and the exit code is 1 then."""
    with database()() as session:
        its = None if tenant is None else tenants.named(session, tenant).id
        names = _names(session)
        session.rollback()  # what is walked is one moment, which begins here
        chains = list(audit.verify(session, its))
        lost = [one for one in anchor or [] if not audit.has(session, one)]
    rows = [
        {
            "tenant": names.get(chain.id, str(chain.id)),
            "lines": chain.sequence,
            "hash": chain.hash,
            "flaw": chain.flaw,
        }
        for chain in chains
    ]
    if as_json:
        typer.echo(json.dumps({"chains": rows, "lost_anchors": lost}))
    else:
        for row in rows:
            typer.echo(
                f"{row['tenant']}: {row['flaw'] or 'whole'}; {row['lines']} lines, to {row['hash']}"
            )
        for one in lost:
            typer.echo(f"{one} is not in the log any more: it was written anew.")
    if lost or any(chain.flaw for chain in chains):
        raise typer.Exit(1)


def _names(session: Session) -> dict[UUID, str]:
    named = {row.id: row.name for row in session.execute(select(Tenant.id, Tenant.name))}
    return {audit.HOUSE: "(house)", **named}
