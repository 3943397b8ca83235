"""What died: why, and once more; pictures in quarantine, and out of it."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.cli.desk import database, operator
from app.cli.keys import Json
from app.cli.ops.tables import facts, show
from app.db import Sessions, audit, control, operations, tenants
from app.db.models import Job
from app.domain.job import Lane
from app.errors import BadRequest, Quarantined

AT_ONCE = 500  #: jobs of one campaign in a transaction: it holds the campaign for that long

Tenant = Annotated[str | None, typer.Option(help="Of one tenant.")]
Campaign = Annotated[UUID | None, typer.Option(help="Of one campaign.")]
Code = Annotated[str | None, typer.Option(help="With this reason, as `impasto ops dead` shows it.")]
Which = Annotated[Lane | None, typer.Option("--lane", help="In one lane.")]
Hours = Annotated[int | None, typer.Option(min=1, help="Ended within that many hours.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")]
Found = Sequence[tuple[UUID | None, UUID, UUID]]


def add(commands: typer.Typer) -> None:
    """The commands of this module."""
    for command in (dead, requeue, quarantine):
        commands.command()(command)


def dead(
    tenant: Tenant = None,
    campaign: Campaign = None,
    code: Code = None,
    lane: Which = None,
    hours: Hours = None,
    as_json: Json = False,
) -> None:
    """Jobs that failed for good, by reason; each row names its newest one."""
    with database()() as session:
        which = _which(session, tenant, campaign, code, lane, hours)
        rows = facts(operations.dead(session, **which))
    show(rows, as_json=as_json, empty="Nothing failed.")


def requeue(
    job: Annotated[
        list[UUID] | None, typer.Argument(help="Jobs by id; or use the options.")
    ] = None,
    tenant: Tenant = None,
    campaign: Campaign = None,
    code: Code = None,
    lane: Which = None,
    hours: Hours = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    dry_run: Dry = False,
    as_json: Json = False,
) -> None:
    """Run failed jobs again, under their own ids and as a new round; what has no picture stays."""
    given = (tenant, campaign, code, lane, hours)
    if bool(job) + any(value is not None for value in given) + everything != 1:
        raise BadRequest("Give job ids, or options that say which, or --all.")
    sessions = database()
    with sessions() as session:
        if job:
            found = _named(session, job)
        else:
            found = operations.failed(session, **_which(session, *given))
    _report(sessions, found, "job.requeued", dry_run=dry_run, as_json=as_json)


def quarantine(
    release: Annotated[
        list[UUID] | None, typer.Option(help="Let this job run again; once more for others.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Pictures that killed workers, and those suspected of it; those let out run alone again."""
    sessions = database()
    if release:
        with sessions() as session:
            found = _named(session, release, Job.error_code == Quarantined.code)
        _report(sessions, found, "job.released", dry_run=False, as_json=as_json)
        return
    with sessions() as session:
        rows = facts(operations.suspects(session))
    show(rows, as_json=as_json, empty="No picture is in quarantine, and none suspected.")


def _which(
    session: Session,
    tenant: str | None,
    campaign: UUID | None,
    code: str | None,
    lane: Lane | None,
    hours: int | None,
) -> dict[str, object]:
    its = None if tenant is None else tenants.named(session, tenant).id
    named = None if lane is None else lane.value
    return {"tenant": its, "campaign": campaign, "code": code, "lane": named, "hours": hours}


def _named(session: Session, ids: Sequence[UUID], *where: ColumnElement[bool]) -> Found:
    statement = select(Job.campaign_id, Job.tenant_id, Job.id).where(Job.id.in_(ids), *where)
    rows = session.execute(statement.order_by(Job.campaign_id, Job.tenant_id, Job.id)).all()
    return [(row.campaign_id, row.tenant_id, row.id) for row in rows]


def _report(sessions: Sessions, found: Found, action: str, *, dry_run: bool, as_json: bool) -> None:
    done = 0 if dry_run else sum(_run_again(sessions, found, action))
    if as_json:
        typer.echo(json.dumps({"found": len(found), "requeued": done, "dry_run": dry_run}))
    elif dry_run:
        typer.echo(f"{len(found)} jobs would run again, as far as their pictures are there.")
    else:
        typer.echo(f"{done} of {len(found)} jobs run again; the sweep wakes workers in a second.")


def _run_again(sessions: Sessions, found: Found, action: str) -> Iterator[int]:
    """One transaction for some jobs of one campaign of one tenant, with a line in its log."""
    for (campaign, tenant), group in groupby(found, key=lambda one: one[:2]):
        ids = [job_id for *_, job_id in group]
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            with sessions.begin() as session:
                amount = control.retry_those(session, campaign, some)
                if amount:
                    target = str(some[0] if len(some) == 1 else campaign or "jobs")
                    told = {"jobs": amount}
                    audit.record(
                        session, tenant, by=operator(), action=action, target=target, details=told
                    )
            yield amount
