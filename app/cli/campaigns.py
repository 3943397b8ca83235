"""Campaigns under way: paused, resumed, withdrawn, tried again, put first or last."""

import json
from typing import Annotated, Any

import typer

from app.cli import work
from app.client import Client

commands = typer.Typer(no_args_is_help=True, help="Steer campaigns that are under way.")

Campaign = Annotated[str, typer.Argument(metavar="ID", help="Of the campaign.")]


@commands.command()
def pause(
    campaign: Campaign, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """Begin nothing more; what runs is finished."""
    _post(campaign, "pause", None, key, url, as_json=as_json)


@commands.command()
def resume(
    campaign: Campaign, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """Go on with a paused one."""
    _post(campaign, "resume", None, key, url, as_json=as_json)


@commands.command()
def cancel(
    campaign: Campaign, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """Withdraw what is not finished; finished pictures stay."""
    _post(campaign, "cancel", None, key, url, as_json=as_json)


@commands.command()
def retry_failed(
    campaign: Campaign, key: work.Key, url: work.Url = work.LOCAL, as_json: work.Json = False
) -> None:
    """Try what failed again, under the same job ids."""
    _post(campaign, "retry-failed", None, key, url, as_json=as_json)


@commands.command()
def priority(
    campaign: Campaign,
    priority: Annotated[int, typer.Argument(min=-10, max=10, help="10 comes first, -10 last.")],
    key: work.Key,
    url: work.Url = work.LOCAL,
    as_json: work.Json = False,
) -> None:
    """Put it before or behind what else of yours waits; negative ones after `--`."""
    _post(campaign, "priority", {"priority": priority}, key, url, as_json=as_json)


@commands.command()
def budget(
    campaign: Campaign,
    micros: Annotated[int, typer.Argument(min=1, help="In millionths of the currency unit.")],
    key: work.Key,
    url: work.Url = work.LOCAL,
    as_json: work.Json = False,
) -> None:
    """Give one that has a budget another; then `retry-failed` tries what it did not pay for."""
    _post(campaign, "budget", {"budget_micros": micros}, key, url, as_json=as_json)


def _post(
    campaign: str, word: str, body: dict[str, Any] | None, key: str, url: str, *, as_json: bool
) -> None:
    with Client(url, key) as client:
        answer = client.post(f"/v1/campaigns/{campaign}/{word}", body)
    typer.echo(json.dumps(answer) if as_json else sentence(answer))


def sentence(campaign: dict[str, Any]) -> str:
    """How a campaign is, in one line: `Spring 2027 is running: 2 queued, 1 failed of 3.`"""
    counts = {name: number for name, number in campaign["counts"].items() if number}
    total = counts.pop("total", 0)
    parts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
    return f"{campaign['name']} is {campaign['status']}: {parts} of {total}."
