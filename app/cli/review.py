"""Pictures that wait for somebody's yes: listed, approved, rejected."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli import work
from app.client import Client
from app.errors import BadRequest

commands = typer.Typer(no_args_is_help=True, help="Say which pictures are delivered.")

Jobs = Annotated[list[str] | None, typer.Argument(metavar="JOB...", help="Or give a query.")]
Campaign = Annotated[str | None, typer.Option(help="Only of this campaign.")]
Prefix = Annotated[str | None, typer.Option(help="Only where custom_id begins so.")]
Style = Annotated[str | None, typer.Option(help="Only in this style: name or name@version.")]
Warning_ = Annotated[str | None, typer.Option("--warning", help="Only these: flat or unchanged.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what the query finds; no more.")]
Note = Annotated[str | None, typer.Option(help="For whoever reads it later.")]


@commands.command("list")
def listing(
    key: work.Key,
    url: work.Url = work.LOCAL,
    campaign: Campaign = None,
    prefix: Prefix = None,
    style: Style = None,
    warning: Warning_ = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    as_json: work.Json = False,
) -> None:
    """What waits, oldest first, and where to look at it."""
    query = _query(campaign, prefix, style, warning)
    with Client(url, key) as client:
        page = client.get("/v1/reviews", limit=limit, **query)
    if as_json:
        typer.echo(json.dumps(page["data"]))
        return
    table = Table()
    for word in ("job", "custom id", "style", "warnings", "look at"):
        table.add_column(word, overflow="fold")  # ids and links are there to be copied
    for review in page["data"]:
        job = review["job"]
        facts = (job["custom_id"] or "", job["style"], " ".join(job["warnings"]))
        table.add_row(job["id"], *facts, url.rstrip("/") + review["output"]["url"])
    Console().print(table, "... and more" if page["has_more"] else "")


@commands.command()
def approve(
    key: work.Key,
    jobs: Jobs = None,
    url: work.Url = work.LOCAL,
    campaign: Campaign = None,
    prefix: Prefix = None,
    style: Style = None,
    warning: Warning_ = None,
    reason: Annotated[str | None, typer.Option(help="A code that reports can count.")] = None,
    note: Note = None,
    dry_run: DryRun = False,
    as_json: work.Json = False,
) -> None:
    """Deliver these pictures."""
    words = _words("approve", reason, note)
    query = _query(campaign, prefix, style, warning)
    _decide(url, key, jobs or [], query, words, dry_run=dry_run, as_json=as_json)


@commands.command()
def reject(
    key: work.Key,
    reason: Annotated[str, typer.Option(help="A code that reports can count: off-brand.")],
    jobs: Jobs = None,
    url: work.Url = work.LOCAL,
    campaign: Campaign = None,
    prefix: Prefix = None,
    style: Style = None,
    warning: Warning_ = None,
    note: Note = None,
    dry_run: DryRun = False,
    as_json: work.Json = False,
) -> None:
    """Deliver these pictures to nobody; they are kept, and say why."""
    words = _words("reject", reason, note)
    query = _query(campaign, prefix, style, warning)
    _decide(url, key, jobs or [], query, words, dry_run=dry_run, as_json=as_json)


def _query(
    campaign: str | None, prefix: str | None, style: str | None, warning: str | None
) -> dict[str, str]:
    given = {
        "campaign_id": campaign,
        "custom_id_prefix": prefix,
        "style": style,
        "warning": warning,
    }
    return {name: value for name, value in given.items() if value is not None}


def _words(decision: str, reason: str | None, note: str | None) -> dict[str, Any]:
    return {"decision": decision, "reason_code": reason, "note": note}


def _decide(
    url: str,
    key: str,
    jobs: list[str],
    query: dict[str, str],
    words: dict[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    if bool(jobs) == bool(query):
        raise BadRequest("Name jobs, or say which by --campaign, --prefix, --style or --warning.")
    if jobs and dry_run:
        raise BadRequest("--dry-run counts what a query finds; jobs by name are as many as named.")
    with Client(url, key) as client:
        if jobs:
            for job in jobs:
                client.post(f"/v1/reviews/{job}", words)
            count = len(jobs)
        else:
            body = {**words, "query": query, "dry_run": dry_run}
            count = client.post("/v1/reviews", body)["count"]
    said = {"approve": "approved", "reject": "rejected"}[words["decision"]]
    facts = {"decision": words["decision"], "dry_run": dry_run, "count": count}
    sentence = f"{count} would be {said}." if dry_run else f"{count} {said}."
    typer.echo(json.dumps(facts) if as_json else sentence)
