"""What happened, for those who asked: events and deliveries, written with what they tell of."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from pydantic_core import to_json
from sqlalchemy import ARRAY, ColumnElement, Row, Uuid, func, literal, or_, select, text
from sqlalchemy.orm import Session

from app.db.models import Campaign, Endpoint, StyleVersion
from app.domain.events import JOB_EVENTS, EventType, fitting, sequence
from app.domain.ids import new_id
from app.domain.job import FINAL, JobStatus
from app.domain.style import plain

Facts = dict[str, Any]

EARS: Final = ("listeners", "listeners_to_verdicts")  #: what a move says of who listens


def listeners(tenant_id: Any, kind: ColumnElement[str]) -> ColumnElement[Sequence[UUID]]:
    """The ids of the endpoints of a tenant that want to hear of events of this kind."""
    wants = or_(Endpoint.events.is_(None), kind == Endpoint.events.any_())
    its = (Endpoint.tenant_id == tenant_id, Endpoint.disabled_at.is_(None), wants)
    found = select(Endpoint.id).where(*its).order_by(Endpoint.id)
    return func.array(found.correlate_except(Endpoint).scalar_subquery(), type_=ARRAY(Uuid))


def listening(session: Session, tenant_id: UUID, kind: EventType) -> Sequence[UUID]:
    """The same, asked for by itself: for what happens seldom."""
    return session.scalars(select(listeners(tenant_id, literal(kind.value)))).one()


def record(session: Session, to: JobStatus, rows: Sequence[Row[Any]]) -> None:
    """The events of each moved job that somebody listens to; most moves write nothing."""
    if to not in JOB_EVENTS:
        return
    events: list[Facts] = []
    ways: list[Facts] = []
    for row in rows:
        for kind, endpoints in _kinds(to, row):
            if endpoints or _wants(row.webhook, kind):
                event = _of_job(kind, row, last=kind is JOB_EVENTS[to])
                events.append(event)
                ways += _ways(event, row.webhook, endpoints)
    _write(session, events, ways)


def _kinds(to: JobStatus, row: Row[Any]) -> Iterable[tuple[EventType, Sequence[UUID]]]:
    """What a move means, and to whom: of a reviewer's word, that it was said and what it did."""
    if row.verdict is not None:
        yield EventType.JOB_REVIEWED, row.listeners_to_verdicts
    yield JOB_EVENTS[to], row.listeners


def record_budget(session: Session, campaign: Campaign) -> None:
    """The one `campaign.budget`: 80 % are spent, or what is left pays for nothing more."""
    kind = EventType.CAMPAIGN_BUDGET
    facts = {"budget_micros": campaign.budget_micros, "unpaid": campaign.unfunded}
    _record_campaign(session, kind, campaign, facts, listening(session, campaign.tenant_id, kind))


def record_counts(
    session: Session, kind: EventType, campaign: Campaign, endpoints: Sequence[UUID]
) -> None:
    """How far a campaign is, or that a round of it is done, with the jobs that ended."""
    words = ("total", *(status.value for status in FINAL))
    counts = {word: getattr(campaign, word) for word in words}
    _record_campaign(session, kind, campaign, {"counts": counts}, endpoints)


def _record_campaign(
    session: Session,
    kind: EventType,
    campaign: Campaign,
    facts: Facts,
    endpoints: Sequence[UUID],
) -> None:
    its = {
        "campaign_id": str(campaign.id),
        "name": campaign.name,
        **facts,
        "cost_micros": campaign.cost_micros,
        "metadata": campaign.metadata_ or None,
    }
    event = _event(kind, campaign.tenant_id, its) | {
        "campaign_id": campaign.id,
        "sequence": campaign.version,
        "round": campaign.round,
    }
    if ways := list(_ways(event, campaign.webhook, endpoints)):
        _write(session, [event], ways)


def record_licence_expiring(
    session: Session, tenant_id: UUID, version: StyleVersion, days: int
) -> None:
    """A `style.licence_expiring`; it belongs to no job, so endpoints alone hear of it."""
    name, kind = plain(version.slug), EventType.STYLE_LICENCE_EXPIRING
    facts = {
        "style": name,
        "version": version.version,
        "pinned": f"{name}@{version.version}",
        "valid_until": version.valid_until and version.valid_until.isoformat(),
        "days": days,
    }
    event = _event(kind, tenant_id, facts) | {"sequence": -days}  # grows as the end comes nearer
    ways = [_to_endpoint(event, one) for one in listening(session, tenant_id, kind)]
    _write(session, [event], ways)


def record_endpoint(
    session: Session, kind: EventType, endpoint: Endpoint, to: Iterable[UUID], **facts: Any
) -> list[UUID]:
    """Something about an endpoint, to these endpoints: the ids of the deliveries."""
    its = {"endpoint_id": str(endpoint.id), "url": endpoint.url, **facts}
    event = _event(kind, endpoint.tenant_id, its)
    if ways := [_to_endpoint(event, one) for one in to]:
        _write(session, [event], ways)
    return [way["id"] for way in ways]


def written(session: Session) -> bool:
    """Whether this transaction wrote deliveries, so that somebody should be woken after it."""
    return bool(session.info.get("deliveries"))


@lru_cache(4096)
def receiver_of(tenant_id: UUID, url: str) -> UUID:
    """Who stands behind a URL that a tenant's work came with: its host, whatever the path."""
    parts = urlsplit(url)
    return uuid5(tenant_id, f"{parts.scheme}://{parts.netloc}".lower())


def _of_job(kind: EventType, row: Row[Any], *, last: bool) -> Facts:
    """`last`: nothing else is told of this move."""
    shown = row.status is JobStatus.SUCCEEDED  # what is not approved is not named
    facts = {
        "job_id": str(row.id),
        "campaign_id": _text(row.campaign_id),
        "custom_id": row.custom_id,
        "status": row.status.value,
        "attempt": row.attempt,
        "asset_id": row.output_digest if shown else None,
        "cost_micros": row.cost_micros,
        "error_code": row.error_code,
        "error_detail": row.error_detail,
        "warnings": row.warnings or None,
        "review": row.verdict,
        "metadata": row.metadata or None,
    }
    return _event(kind, row.tenant_id, facts) | {
        "job_id": row.id,
        "campaign_id": row.campaign_id,
        "sequence": sequence(row.version, last=last),
        "round": row.round,
    }


def _event(kind: EventType, tenant_id: UUID, facts: Facts) -> Facts:
    known = {name: value for name, value in facts.items() if value is not None}
    about = {"job_id": None, "campaign_id": None, "sequence": 0, "round": 1}
    return {"id": new_id(), "tenant_id": tenant_id, "type": kind, "data": fitting(known), **about}


def _wants(hook: Facts | None, kind: EventType) -> bool:
    return hook is not None and kind in hook["events"]


def _ways(event: Facts, hook: Facts | None, endpoints: Iterable[UUID]) -> Iterable[Facts]:
    """One delivery to each who listens; the URL that the work came with is one of them."""
    if hook is not None and _wants(hook, event["type"]):
        receiver = receiver_of(event["tenant_id"], hook["url"])
        yield _way(event, None, receiver) | {"url": hook["url"]}
    for endpoint_id in endpoints:
        yield _to_endpoint(event, endpoint_id)


def _to_endpoint(event: Facts, endpoint_id: UUID) -> Facts:
    return _way(event, endpoint_id, endpoint_id) | {"url": None}


def _way(event: Facts, endpoint_id: UUID | None, receiver_id: UUID) -> Facts:
    ids = {"id": new_id(), "event_id": event["id"], "tenant_id": event["tenant_id"]}
    return {**ids, "endpoint_id": endpoint_id, "receiver_id": receiver_id}


#: Two parameters of JSON, whatever their number. An endpoint is taken by its URL of this moment,
#: and not at all where it was disabled meanwhile.
_WRITE = text("""
WITH event AS (
    INSERT INTO events (id, tenant_id, type, job_id, campaign_id, sequence, round, data)
    SELECT * FROM json_to_recordset(CAST(:events AS json)) AS event (
        id uuid, tenant_id uuid, type text, job_id uuid, campaign_id uuid, sequence int,
        round smallint, data jsonb)
)
INSERT INTO deliveries (id, event_id, tenant_id, endpoint_id, receiver_id, url)
SELECT way.id, event_id, way.tenant_id, endpoint_id, receiver_id, coalesce(way.url, endpoint.url)
FROM json_to_recordset(CAST(:ways AS json)) AS way (
    id uuid, event_id uuid, tenant_id uuid, endpoint_id uuid, receiver_id uuid, url text)
LEFT JOIN webhook_endpoints AS endpoint ON endpoint.id = endpoint_id AND disabled_at IS NULL
WHERE coalesce(way.url, endpoint.url) IS NOT NULL
""")


def _write(session: Session, events: Sequence[Facts], ways: Sequence[Facts]) -> None:
    if not events:
        return
    if ways:
        session.info["deliveries"] = True
    session.execute(_WRITE, {"events": to_json(events).decode(), "ways": to_json(ways).decode()})


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
