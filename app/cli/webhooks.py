"""Deliveries, by hand."""

from typing import Annotated
from uuid import UUID

import typer

from app.db import deliveries, open_database
from app.queue import CeleryTickets, open_queue
from app.settings import settings
from app.stack.found import beside

commands = typer.Typer(no_args_is_help=True, help="Webhook deliveries.")


@commands.command()
def replay(event_id: Annotated[UUID, typer.Argument(help="The webhook-id header.")]) -> None:
    """Send an event again, to everybody it was for."""
    found = beside(settings())
    with open_database(found.database_url.get_secret_value()).begin() as session:
        amount = deliveries.replay(session, event_id)
    CeleryTickets(open_queue(found)).deliver()
    typer.echo(f"{amount} on the way again.")
