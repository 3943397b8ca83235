"""Tenants: what they may have, and how long what is theirs is kept."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.desk import database, operator
from app.cli.keys import Json
from app.db import tenants
from app.domain.quotas import BURST, DAILY, WAITING
from app.domain.retention import Retention

commands = typer.Typer(no_args_is_help=True, help="Tenants, their quotas, and what is kept.")

Name = Annotated[str, typer.Argument(help="Which tenant.")]
Days = Annotated[int | None, typer.Option(min=1, help="Days; unless given, for good.")]
Number = Annotated[int | None, typer.Option(min=0, help="0: without limit.")]


@commands.command("list")
def listing(as_json: Json = False) -> None:
    """Every tenant, with what is its own of quotas and retention."""
    with database()() as session:
        rows = [
            {
                "tenant": row.Tenant.name,
                "id": str(row.Tenant.id),
                "keys": row.keys,
                "quotas": row.Tenant.quotas,
                "retention": row.Tenant.retention,
                "created_at": row.Tenant.created_at.isoformat(timespec="seconds"),
            }
            for row in tenants.listing(session)
        ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("tenant", "id", "keys", "quotas", "days kept", "created")
    for row in rows:
        values = (_words(value) if isinstance(value, dict) else value for value in row.values())
        table.add_row(*map(str, values))
    Console().print(table)


@commands.command()
def quota(
    name: Name,
    requests_per_minute: Number = None,
    pictures_per_day: Number = None,
    pictures_waiting: Number = None,
) -> None:
    """Give a tenant numbers of its own; without any, it has everybody's again."""
    given = {BURST: requests_per_minute, DAILY: pictures_per_day, WAITING: pictures_waiting}
    quotas = {policy: number for policy, number in given.items() if number is not None}
    with database().begin() as session:
        tenants.set_quotas(session, tenants.named(session, name), quotas, by=operator())
    typer.echo(f"{name}: {_words(quotas) or 'as everybody'}; within a second.")


@commands.command()
def retention(name: Name, contents: Days = None, outputs: Days = None, jobs: Days = None) -> None:
    """Say how long pictures and rows are kept; what is not given is kept for good."""
    wanted = Retention(contents=contents, outputs=outputs, jobs=jobs)
    with database().begin() as session:
        tenant = tenants.named(session, name)
        tenants.set_retention(session, tenant, wanted.kept, by=operator())
    typer.echo(f"{name}: {_words(wanted.kept) or 'everything is kept for good'}.")


def _words(numbers: dict[str, int]) -> str:
    return " ".join(f"{name}={number:,}" for name, number in numbers.items())
