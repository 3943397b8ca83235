"""What was spent, what it is charged to, and all of it in the columns of FOCUS."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.keys import TenantName
from app.cli.work import LOCAL, Json, Url
from app.client import Client
from app.db import Sessions, open_database, rate_cards, spending, tags
from app.db.models import Tenant
from app.db.spending import Span
from app.domain.tags import TagRules
from app.errors import BadRequest, Misconfigured, NotFound
from app.focus import COLUMNS, MOMENTS, NUMBERS, Line, as_csv, lines
from app.settings import RateCard, settings
from app.stack.found import beside

DAYS: Final = 30  #: without `--since`
ROWS: Final = 5_000  #: lines of one row group of Parquet

commands = typer.Typer(help="What was spent, and what it is charged to.")
rules = typer.Typer(no_args_is_help=True, help="The tags that a tenant has agreed on.")
commands.add_typer(rules, name="tags")

Key = Annotated[str, typer.Option(envvar="IMPASTO_API_KEY", help="Your API key.")]
Since = Annotated[str, typer.Option(help="A day or a moment, UTC; 30 days before the end.")]
Until = Annotated[str, typer.Option(help="A day or a moment, UTC; now.")]
TagKey = Annotated[str, typer.Argument(help="Letters, digits and _.")]


@commands.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    key: Key = "",
    url: Url = LOCAL,
    group_by: Annotated[
        str, typer.Option(help="campaign, job, style, principal, day, status or tag:KEY.")
    ] = "campaign",
    since: Since = "",
    until: Until = "",
    as_json: Json = False,
) -> None:
    """What was spent, in groups."""
    if context.invoked_subcommand is not None:
        return
    if not key:
        raise BadRequest("Give your key: --key, or IMPASTO_API_KEY.")
    span = _span(since, until)
    query = {"group_by": group_by, "since": span.since.isoformat(), "until": span.until.isoformat()}
    with Client(url, key) as client:
        groups = list(client.pages("/v1/costs", limit=200, **query))
    if as_json:
        typer.echo(json.dumps(groups))
        return
    table = Table(
        Column(group_by, overflow="fold"), "jobs", "cost", "currency", "device s", "CPU s", "MB"
    )
    for one in groups:
        table.add_row(
            one["key"] or "-",
            str(one["jobs"]),
            f"{one['micros'] / 1e6:.6f}",
            one["currency"] or "-",
            f"{one['device_seconds']:.3f}",
            f"{one['cpu_seconds']:.3f}",
            f"{one['stored_bytes'] / 1e6:.1f}",
        )
    Console().print(table)


@commands.command()
def export(
    since: Since = "",
    until: Until = "",
    tenant: Annotated[str, typer.Option(help="One alone, and no idle time; else all.")] = "",
    format: Annotated[str, typer.Option(help="csv or parquet.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="A file, instead of standard output.")] = None,
) -> None:
    """
    Every charge in the columns of FOCUS, from the database; idle device time as lines of its own.
    """
    if format not in ("csv", "parquet"):
        raise BadRequest(f"{format!r} is neither csv nor parquet.")
    span, found = _span(since, until), beside(settings())
    with open_database(found.database_url.get_secret_value())() as session:
        charged = _lines(session, span, tenant, found.rate_card)
        if format == "parquet":
            _parquet(charged, out)
        elif out is None:
            sys.stdout.writelines(as_csv(charged))
        else:
            with out.open("w", encoding="utf-8", newline="") as file:
                file.writelines(as_csv(charged))


@rules.command()
def allow(
    key: TagKey,
    values: Annotated[list[str] | None, typer.Argument(help="None: any value.")] = None,
    tenant: TenantName = "default",
    required: Annotated[bool, typer.Option("--required", help="No work without it.")] = False,
) -> None:
    """Let a key be used; with the first, others no longer may. Work in hand keeps its tags."""
    TagRules.check_words(key, values or ["any"])
    with _sessions().begin() as session:
        tags.allow(session, tenant, key, values or None, required=required)
    typer.echo(f"{tenant} may use {key}.")


@rules.command()
def forbid(key: TagKey, tenant: TenantName = "default") -> None:
    """Take a key out; without any, all keys may be used again."""
    with _sessions().begin() as session:
        tags.forbid(session, tenant, key)
    typer.echo(f"{key} is no tag that {tenant} has agreed on.")


@rules.command("list")
def listing(tenant: TenantName = "default", as_json: Json = False) -> None:
    """A tenant's keys and their values."""
    with _sessions()() as session:
        known: list[dict[str, Any]] = [
            {"key": rule.key, "values": rule.words, "required": rule.required}
            for rule in tags.listing(session, tenant)
        ]
    if as_json:
        typer.echo(json.dumps(known))
        return
    table = Table("key", "values", "required")
    for rule in known:
        values = "any" if rule["values"] is None else ", ".join(rule["values"])
        table.add_row(rule["key"], values, "yes" if rule["required"] else "")
    Console().print(table)


def _lines(session: Session, span: Span, tenant: str, card: RateCard) -> Iterable[Line]:
    tenant_id = None
    if tenant:
        tenant_id = session.scalars(select(Tenant.id).where(Tenant.name == tenant)).one_or_none()
        if tenant_id is None:
            raise NotFound(f"There is no tenant {tenant!r}.")
    idle = [] if tenant else spending.idle(session, span)
    cards = rate_cards.known(session)
    return lines(spending.entries(session, span, tenant_id), idle, cards, card)


def _parquet(charged: Iterable[Line], out: Path | None) -> None:
    """Row group by row group. Raises `Misconfigured` without pyarrow."""
    try:
        import pyarrow as pa  # a large extra that only this needs
        import pyarrow.parquet as pq
    except ImportError:
        raise Misconfigured(
            "Parquet needs an extra; install it: pip install 'impasto[parquet]'."
        ) from None
    if out is None:
        raise BadRequest("Parquet needs a file: --out costs.parquet.")
    schema = pa.schema([(name, _kind(pa, name)) for name in COLUMNS])
    left = iter(charged)
    with pq.ParquetWriter(out, schema) as writer:
        while rows := list(islice(left, ROWS)):
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _kind(pa: Any, name: str) -> Any:
    if name in MOMENTS:
        return pa.timestamp("us", tz="UTC")
    return pa.float64() if name in NUMBERS else pa.string()


def _span(since: str, until: str) -> Span:
    end = _moment(until) if until else datetime.now(UTC)
    start = _moment(since) if since else end - timedelta(days=DAYS)
    if start >= end:
        raise BadRequest("--since must be before --until.")
    return Span(start, end)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no moment: write 2026-11-30 or 2026-11-30T18:00.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sessions() -> Sessions:
    return open_database(beside(settings()).database_url.get_secret_value())
