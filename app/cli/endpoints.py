"""Webhook endpoints of a running service: made, shown, rotated, tested, switched."""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli import work
from app.client import Client
from app.domain.events import EventType

commands = typer.Typer(no_args_is_help=True, help="Where a tenant hears of what happens to it.")

PLACE = "/v1/webhook-endpoints"
Which = Annotated[UUID, typer.Argument(help="As `list` shows it.")]


@commands.command()
def create(
    address: Annotated[str, typer.Argument(metavar="URL", help="The receiver.")],
    key: work.Key,
    url: work.Url = work.LOCAL,
    event: Annotated[
        list[EventType] | None, typer.Option(help="Only this kind; as often as you like.")
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    v1a: Annotated[bool, typer.Option("--v1a", help="Sign with Ed25519, too.")] = False,
    as_json: work.Json = False,
) -> None:
    """Make an endpoint, and show what verifies its webhooks."""
    wanted = {
        "url": address,
        "events": event or None,
        "description": description,
        "signatures": ["v1", "v1a"] if v1a else ["v1"],
    }
    with Client(url, key) as client:
        endpoint = client.post(PLACE, wanted)
        secret = client.get(f"{PLACE}/{endpoint['id']}/secret")
    say({**endpoint, **secret}, as_json=as_json, shown=lambda: _verifying(endpoint["id"], secret))


@commands.command("list")
def listing(key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False) -> None:
    """All endpoints."""
    with Client(url, key) as client:
        rows = client.get(PLACE)["data"]
    columns = ("id", "url", "events", "enabled", "disabled_because", "circuit", "failing_since")
    say(rows, as_json=as_json, shown=lambda: table(rows, *columns))


@commands.command()
def rotate(
    endpoint: Which,
    key: work.Key,
    url: work.Url = work.LOCAL,
    overlap: Annotated[
        int, typer.Option(min=0, help="Seconds that the old secret signs, too; 0 if it leaked.")
    ] = 86_400,
    as_json: work.Json = False,
) -> None:
    """Give an endpoint a new secret, and show it."""
    with Client(url, key) as client:
        client.post(f"{PLACE}/{endpoint}/rotate-secret", {"overlap_seconds": overlap})
        secret = client.get(f"{PLACE}/{endpoint}/secret")
    say(secret, as_json=as_json, shown=lambda: _verifying(str(endpoint), secret))


@commands.command("test")
def send_test(
    endpoint: Which, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """Send it `endpoint.test`; `impasto webhooks delivery` tells what came of it."""
    with Client(url, key) as client:
        delivery = client.post(f"{PLACE}/{endpoint}/test")
    say(delivery, as_json=as_json, shown=lambda: f"{delivery['id']} is on the way.")


@commands.command()
def enable(endpoint: Which, key: work.Key, url: work.Url = work.LOCAL) -> None:
    """Send to it again, from now on."""
    _switch(endpoint, key, url, enabled=True)


@commands.command()
def disable(endpoint: Which, key: work.Key, url: work.Url = work.LOCAL) -> None:
    """Send nothing more to it, nor what waits."""
    _switch(endpoint, key, url, enabled=False)


@commands.command()
def delete(endpoint: Which, key: work.Key, url: work.Url = work.LOCAL) -> None:
    """Do without it."""
    with Client(url, key) as client:
        gone = client.delete(f"{PLACE}/{endpoint}")
    typer.echo(f"{gone['url']} hears no more.")


def say(content: Any, *, as_json: bool, shown: Callable[[], str] = str) -> None:
    """For scripts, or for people."""
    typer.echo(json.dumps(content) if as_json else shown())


def table(rows: Sequence[dict[str, Any]], *columns: str) -> str:
    """Rows for people, however narrow their window is: ids stay in one piece, to be copied."""
    cells = [[column.replace("_", " ") for column in columns]]
    cells += [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value)


def _switch(endpoint: UUID, key: str, url: str, *, enabled: bool) -> None:
    with Client(url, key) as client:
        now = client.patch(f"{PLACE}/{endpoint}", {"enabled": enabled})
    typer.echo(f"{now['url']} is {'enabled' if enabled else 'disabled'}.")


def _verifying(endpoint: str, secret: dict[str, Any]) -> str:
    lines = [endpoint, secret["secret"], *filter(None, [secret["public_key"]])]
    lines += [f"{old['secret']} until {old['until']}" for old in secret["old"]]
    return "\n".join(lines)
