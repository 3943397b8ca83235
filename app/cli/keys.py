"""API keys: make, list, exchange, end; and the secret that webhooks are signed with."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli.desk import database, operator
from app.db import keys, tenants
from app.domain.scopes import USUAL, Scope
from app.settings import settings
from app.signing import webhook_secret
from app.stack.found import beside

commands = typer.Typer(no_args_is_help=True, help="API keys and webhook secrets.")

TenantName = Annotated[str, typer.Option(help="Whose.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Prefix = Annotated[str, typer.Argument(help="The characters after imp_.")]


@commands.command()
def create(
    tenant: TenantName = "default",
    name: str = "cli",
    scope: Annotated[list[Scope], typer.Option(help="What it may do; again for more.")] = list(  # noqa: B006 - typer copies it
        USUAL
    ),
    days: Annotated[int | None, typer.Option(min=1, help="Until it expires.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key; this is the only time it is shown."""
    with database().begin() as session:
        key = keys.create(session, tenant=tenant, name=name, scopes=scope, days=days, by=operator())
    shown = {"key": key, "tenant": tenant, "name": name, "scopes": sorted(set(scope))}
    typer.echo(json.dumps(shown) if as_json else key)


@commands.command("list")
def listing(as_json: Json = False) -> None:
    """Every key by its first characters."""
    with database()() as session:
        rows = [
            {
                "key": f"imp_{row.ApiKey.prefix}_...",
                "tenant": row.tenant,
                "name": row.ApiKey.name,
                "scopes": row.ApiKey.scopes,
                "state": row.state,
                "created_at": _at(row.ApiKey.created_at),
                "last_used_at": _at(row.ApiKey.used_at),
                "expires_at": _at(row.ApiKey.expires_at),
                "revoked_at": _at(row.ApiKey.revoked_at),
            }
            for row in keys.listing(session)
        ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    names = ("key", "tenant", "name", "scopes", "state", "created_at", "last_used_at", "expires_at")
    table = Table(*(name.removesuffix("_at").replace("_", " ") for name in names))
    for row in rows:
        row["scopes"] = " ".join(row["scopes"])
        table.add_row(*(str(row[name] or "") for name in names))
    Console().print(table)


@commands.command()
def rotate(
    prefix: Prefix,
    overlap: Annotated[
        int, typer.Option(min=0, help="Seconds that the old one still opens.")
    ] = keys.OVERLAP,
) -> None:
    """Exchange a key; the new one is shown only now."""
    with database().begin() as session:
        new = keys.rotate(session, None, _plain(prefix), overlap=overlap, by=operator())
    typer.echo(new.key)


@commands.command()
def revoke(prefix: Prefix) -> None:
    """End a key at once."""
    with database().begin() as session:
        keys.revoke(session, _plain(prefix), by=operator())
    typer.echo(f"imp_{_plain(prefix)} no longer opens anything.")


@commands.command()
def webhook(tenant: TenantName = "default") -> None:
    """Show the secret a tenant's webhooks are signed with."""
    with database()() as session:
        owner = tenants.named(session, tenant)
    secret = beside(settings()).secret_key.get_secret_value()
    typer.echo(webhook_secret(secret, owner.id, owner.webhook_generation))


def _plain(prefix: str) -> str:
    """Also as `list` shows it, and as the key itself begins."""
    return prefix.removeprefix("imp_").split("_...")[0][: keys.PREFIX]


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
