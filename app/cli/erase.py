"""Forgetting, by an operator: for a tenant that asked for it."""

import json
from time import sleep
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.desk import database, operator
from app.cli.keys import Json
from app.db import Sessions, campaigns, erasures, jobs, reading, tenants
from app.db.models import Erasure, ErasureKind
from app.errors import BadRequest

LOOK_AGAIN = 0.5  #: seconds


def erase(
    tenant: Annotated[str, typer.Option(help="Whose.")],
    asset: Annotated[str | None, typer.Option(help="A picture, by its SHA-256.")] = None,
    job: Annotated[UUID | None, typer.Option(help="A job with its pictures.")] = None,
    campaign: Annotated[UUID | None, typer.Option(help="All jobs of a campaign.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of the tenant's.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the receipt; the io worker erases.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Erase pictures and what is a caller's in rows; it does not come back."""
    sessions = database()
    with sessions.begin() as session:
        owner = tenants.named(session, tenant).id
        given: dict[ErasureKind, Any] = {}
        if asset:
            given[ErasureKind.ASSET] = reading.asset(session, owner, asset).digest
        if job:
            given[ErasureKind.JOB] = jobs.get(session, owner, job).id
        if campaign:
            given[ErasureKind.CAMPAIGN] = campaigns.get(session, owner, campaign).id
        if everything:
            given[ErasureKind.ALL] = owner
        if len(given) != 1:
            raise BadRequest("Give one of --asset, --job, --campaign and --all.")
        [(kind, target)] = given.items()
        erasure_id = erasures.request(session, owner, kind, str(target), by=operator())
    _report(_receipt(sessions, erasure_id, wait), as_json)


def _receipt(sessions: Sessions, erasure_id: UUID, seconds: float) -> Erasure:
    while True:
        with sessions() as session:
            wish = session.get_one(Erasure, erasure_id)
        if wish.finished_at is not None or seconds <= 0:
            return wish
        sleep(LOOK_AGAIN)
        seconds -= LOOK_AGAIN


def _report(wish: Erasure, as_json: bool) -> None:
    counts = {name: getattr(wish, name) for name in ("canceled", "jobs", "pictures", "kept")}
    over = wish.finished_at and wish.finished_at.isoformat(timespec="seconds")
    if as_json:
        typer.echo(json.dumps({"id": str(wish.id), "finished_at": over, **counts}))
        return
    typer.echo(
        f"Erasure {wish.id}: {counts['pictures']} pictures and {counts['jobs']} jobs erased, "
        f"{counts['canceled']} of them canceled first, {counts['kept']} pictures kept that others "
        f"need; {f'finished at {over}' if over else 'the io worker is at it'}."
    )
