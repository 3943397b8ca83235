"""What operators decide about styles: stop, take back, and see which pictures that touches."""

import getpass
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Row, select

from app.cli import work
from app.db import Sessions, affected, open_database, style_moves
from app.db.models import Tenant
from app.domain.style import StyleMove
from app.errors import BadRequest
from app.settings import settings
from app.stack.found import beside

PAGE: Final = 1_000  #: pictures read at once

Pinned = Annotated[
    str, typer.Argument(help="`great-wave@1`; of a tenant's own, `<tenant id>/name@1`.")
]
Why = Annotated[str, typer.Option("--reason", help="Kept in its history.")]
Who = Annotated[str, typer.Option("--operator", help="Your name, for its history.")]


def add(commands: typer.Typer) -> None:
    """The commands of this module."""
    commands.command("affected")(touched)
    for command in (suspend, reinstate, retire, withdraw, history):
        commands.command()(command)


def touched(pinned: Pinned, as_json: work.Json = False) -> None:
    """Every picture that came from a version, alone or in a mix, of all tenants."""
    slug, version = _parsed(pinned)
    rows = _pictures(_sessions(), slug, version)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(_facts(row)))
        return
    table = Table("tenant", "campaign", "custom_id", "job", "asset", "finished")
    for row in rows:
        facts = _facts(row)
        names = ("tenant", "campaign", "custom_id", "job_id", "asset_id", "finished_at")
        table.add_row(*(str(facts[name] or "") for name in names))
    Console().print(table)


def suspend(pinned: Pinned, reason: Why, operator: Who = "") -> None:
    """Stop a version for now: nothing new, and its pictures are not delivered."""
    _move(pinned, StyleMove.SUSPEND, reason, operator)


def reinstate(pinned: Pinned, reason: Why, operator: Who = "") -> None:
    """Let a suspended version go on."""
    _move(pinned, StyleMove.REINSTATE, reason, operator)


def retire(pinned: Pinned, reason: Why, operator: Who = "") -> None:
    """Offer a version no longer; what came from it stays."""
    _move(pinned, StyleMove.RETIRE, reason, operator)


def withdraw(pinned: Pinned, reason: Why, operator: Who = "") -> None:
    """Take a version back for good: none of its pictures is delivered again."""
    slug, version = _move(pinned, StyleMove.WITHDRAW, reason, operator)
    with _sessions()() as session:
        amount = affected.count(session, slug, version, tenant_id=None)
    typer.echo(f"{amount} pictures are affected; impasto styles affected {pinned} lists them.")


def history(pinned: Pinned, as_json: work.Json = False) -> None:
    """Who moved a version, and why."""
    slug, version = _parsed(pinned)
    with _sessions()() as session:
        rows = [
            {
                "at": row.at.isoformat(timespec="seconds"),
                "move": row.move.value,
                "status": row.status.value,
                "by": row.by,
                "reason": row.reason,
            }
            for row in style_moves.history(session, slug, version)
        ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("at", "move", "status", "by", "reason")
    for row in rows:
        table.add_row(*(value or "" for value in row.values()))
    Console().print(table)


def _move(pinned: str, what: StyleMove, reason: str, operator: str) -> tuple[str, int]:
    slug, version = _parsed(pinned)
    if not reason.strip():
        raise BadRequest("--reason: say why; it is kept in the style's history.")
    by = f"operator:{operator or getpass.getuser()}"
    with _sessions().begin() as session:
        style_moves.move(session, slug, version, what, by=by, reason=reason)
    typer.echo(f"{pinned}: {what}, by {by}.")
    return slug, version


def _pictures(sessions: Sessions, slug: str, version: int) -> Iterator[Row[Any]]:
    """Tenant by tenant, page after page, so that a million of them cost no memory."""
    with sessions() as session:
        tenants = session.scalars(select(Tenant.id).order_by(Tenant.id)).all()
    for tenant_id in tenants:
        after, more = None, True
        while more:
            with sessions() as session:
                rows = affected.pictures(
                    session, slug, version, tenant_id=tenant_id, after=after, limit=PAGE
                )
            yield from rows
            more = len(rows) == PAGE
            after = rows[-1].id if rows else None


def _facts(row: Row[Any]) -> dict[str, Any]:
    return {
        "tenant": row.tenant,
        "campaign": row.campaign,
        "campaign_id": row.campaign_id and str(row.campaign_id),
        "custom_id": row.custom_id,
        "job_id": str(row.id),
        "asset_id": row.output_digest,
        "renditions": row.renditions or [],
        "mix": row.parameters.get("mix"),
        "finished_at": row.finished_at.isoformat(timespec="seconds"),
    }


def _parsed(pinned: str) -> tuple[str, int]:
    match = re.fullmatch(r"([a-z0-9/-]+)@([1-9][0-9]{0,8})", pinned)
    if match is None:
        raise BadRequest(f"{pinned!r} names no version; write great-wave@1.")
    return match[1], int(match[2])


def _sessions() -> Sessions:
    return open_database(beside(settings()).database_url.get_secret_value(), pool=1)
