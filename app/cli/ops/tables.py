"""Rows as people read them, and as scripts do."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Facts = dict[str, Any]


def facts(rows: Sequence[Any]) -> list[Facts]:
    """What a query answered, as JSON knows it."""
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in rows]


def show(rows: Sequence[Facts], *, as_json: bool, empty: str) -> None:
    """A list in JSON, or a table; a sentence where there is nothing to show."""
    if as_json:
        typer.echo(json.dumps(list(rows)))
        return
    if not rows:
        typer.echo(empty)
        return
    table = Table(*(name.removesuffix("_seconds").replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*(escape(_words(name, value)) for name, value in row.items()))
    console = Console()
    if not console.is_terminal:  # a log has no edge: what is cut off there is lost
        console = Console(width=240)
    console.print(table)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _words(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_seconds"):
        return _span(float(value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
