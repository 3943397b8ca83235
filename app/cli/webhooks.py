"""Deliveries, by hand: what was sent, and sending it again."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli import endpoints, work
from app.cli.endpoints import say, table
from app.client import Client
from app.db import open_database, replays
from app.db.models import DeliveryState
from app.domain.events import EventType
from app.errors import InvalidRequest
from app.queue import CeleryTickets, open_queue
from app.settings import settings
from app.stack.found import beside

commands = typer.Typer(no_args_is_help=True, help="Webhook endpoints and deliveries.")
commands.add_typer(endpoints.commands, name="endpoints")

State = Annotated[DeliveryState | None, typer.Option(help="Only those.")]
Moment = Annotated[datetime | None, typer.Option(help="UTC, such as 2026-11-22T12:00:00.")]
Endpoint = Annotated[UUID | None, typer.Option(help="Only what went to this one.")]


@commands.command()
def deliveries(
    key: work.Key,
    url: work.Url = work.LOCAL,
    endpoint: Endpoint = None,
    state: State = None,
    event: Annotated[EventType | None, typer.Option(help="Only this kind.")] = None,
    job: Annotated[UUID | None, typer.Option(help="Only what tells of it.")] = None,
    campaign: Annotated[UUID | None, typer.Option(help="Only what tells of it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="The newest so many.")] = 50,
    as_json: work.Json = False,
) -> None:
    """What was sent, the newest first."""
    path = "/v1/webhook-deliveries"
    if endpoint:
        path = f"/v1/webhook-endpoints/{endpoint}/deliveries"
    wanted = {"state": state, "event": event, "job_id": job, "campaign_id": campaign}
    query = {name: str(value) for name, value in wanted.items() if value is not None}
    with Client(url, key) as client:
        rows = client.get(path, limit=limit, **query)["data"]
    columns = ("id", "event", "state", "attempts", "response_status", "error", "url")
    say(rows, as_json=as_json, shown=lambda: table(rows, *columns))


@commands.command()
def delivery(
    delivery_id: Annotated[UUID, typer.Argument(help="As `deliveries` shows it.")],
    key: work.Key,
    url: work.Url = work.LOCAL,
) -> None:
    """One webhook as JSON: its payload, and every answer."""
    with Client(url, key) as client:
        say(client.get(f"/v1/webhook-deliveries/{delivery_id}"), as_json=True)


@commands.command()
def replay(
    event_id: Annotated[UUID | None, typer.Argument(help="The webhook-id header.")] = None,
    delivery: Annotated[UUID | None, typer.Option(help="One delivery instead.")] = None,
    endpoint: Annotated[UUID | None, typer.Option(help="All of one endpoint's instead.")] = None,
    since: Moment = None,
    until: Moment = None,
    state: State = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    key: Annotated[
        str | None, typer.Option(envvar="IMPASTO_API_KEY", help="For a delivery, an endpoint.")
    ] = None,
    url: work.Url = work.LOCAL,
) -> None:
    """
    Send again: an event, by whoever runs the service beside it, to everybody it was for; or with
    a key one delivery, or what an endpoint was sent in some time.
    """
    if [event_id, delivery, endpoint].count(None) != 2 or (endpoint is None) != (since is None):
        raise InvalidRequest("Name an event, or --delivery, or --endpoint with --since.")
    if event_id is not None:
        _replay_event(event_id)
        return
    if key is None:
        raise InvalidRequest("That needs your API key: --key, or IMPASTO_API_KEY.")
    with Client(url, key) as client:
        if delivery is not None:
            client.post(f"/v1/webhook-deliveries/{delivery}/replay")
            typer.echo("1 on the way again.")
            return
        wanted: dict[str, Any] = {"since": _utc(since), "until": _utc(until), "state": state}
        query = {name: value for name, value in wanted.items() if value is not None}
        path = f"/v1/webhook-endpoints/{endpoint}/replay"
        amount = client.post(path, dry_run=dry_run, **query)["count"]
    typer.echo(f"{amount} would be sent again." if dry_run else f"{amount} on the way again.")


def _replay_event(event_id: UUID) -> None:
    found = beside(settings())
    with open_database(found.database_url.get_secret_value()).begin() as session:
        amount = replays.replay(session, event_id)
    CeleryTickets(open_queue(found)).deliver()
    typer.echo(f"{amount} on the way again.")


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(tzinfo=UTC).isoformat()
