"""API keys: make, list, end; and the secret that webhooks are signed with."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app.db import Sessions, keys, open_database
from app.db.models import Tenant
from app.errors import NotFound
from app.settings import settings
from app.signing import webhook_secret
from app.stack.found import beside

commands = typer.Typer(no_args_is_help=True, help="API keys and webhook secrets.")

TenantName = Annotated[str, typer.Option(help="Whose.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


@commands.command()
def create(tenant: TenantName = "default", name: str = "cli", as_json: Json = False) -> None:
    """Make a key; this is the only time it is shown."""
    with _sessions().begin() as session:
        key = keys.create(session, tenant=tenant, name=name)
    typer.echo(json.dumps({"key": key, "tenant": tenant, "name": name}) if as_json else key)


@commands.command("list")
def listing(as_json: Json = False) -> None:
    """Every key by its first characters."""
    with _sessions()() as session:
        rows = [
            {
                "key": f"imp_{key.prefix}_...",
                "tenant": tenant,
                "name": key.name,
                "created_at": key.created_at.isoformat(timespec="seconds"),
                "revoked_at": key.revoked_at and key.revoked_at.isoformat(timespec="seconds"),
            }
            for key, tenant in keys.listing(session)
        ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("key", "tenant", "name", "created", "revoked")
    for row in rows:
        table.add_row(*(str(value or "") for value in row.values()))
    Console().print(table)


@commands.command()
def revoke(prefix: Annotated[str, typer.Argument(help="The characters after imp_.")]) -> None:
    """End a key at once."""
    with _sessions().begin() as session:
        keys.revoke(session, prefix.removeprefix("imp_").split("_...")[0])
    typer.echo(f"imp_{prefix} no longer opens anything.")


@commands.command()
def webhook(tenant: TenantName = "default") -> None:
    """Show the secret a tenant's webhooks are signed with."""
    with _sessions()() as session:
        owner = session.scalars(select(Tenant).where(Tenant.name == tenant)).one_or_none()
    if owner is None:
        raise NotFound(f"There is no tenant {tenant!r}.")
    secret = beside(settings()).secret_key.get_secret_value()
    typer.echo(webhook_secret(secret, owner.id, owner.webhook_generation))


def _sessions() -> Sessions:
    return open_database(beside(settings()).database_url.get_secret_value())
